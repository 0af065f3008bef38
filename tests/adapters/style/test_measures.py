"""Single measures on hand-made texts."""

import pytest

from adapters.style.facts import gather, total
from adapters.style.measures import BY_KEY, MEASURES, suitable
from adapters.style.reading import read


def value(key: str, *texts: str) -> float | None:
    return BY_KEY[key].of(total(gather(read(text), "en") for text in texts))


def told(key: str, *texts: str) -> str:
    facts = total(gather(read(text), "en") for text in texts)
    found = BY_KEY[key].of(facts)
    assert found is not None
    return BY_KEY[key].tell(facts, found)


def words(number: int) -> str:
    return " ".join(["word"] * number)


def test_sentence_lengths_have_their_middle_and_their_quarters():
    text = f"{words(4)}. {words(10)}. {words(12)}. {words(30)}. {words(44)}."

    assert value("sentence_length", text) == 12
    assert told("sentence_length", text) == "Half of your sentences have between 10 and 30 words."
    assert value("sentence_spread", text) == 20
    assert value("rhythm", text) == (6 + 2 + 18 + 14) / 4
    assert value("short_sentences", text) == 20
    assert told("long_sentences", text) == "You let one of your five sentences run to 40 words or more."


def test_rhythm_does_not_go_from_one_paragraph_to_the_next():
    assert value("rhythm", f"{words(4)}. {words(6)}.\n\n{words(40)}.") == 2


def test_paragraphs_have_words_and_sentences():
    text = "One two. Three.\n\nFour five six seven.\n\nEight. Nine. Ten."

    assert value("paragraph_length", text) == 3
    assert value("paragraph_sentences", text) == 2
    assert told("single_sentences", text) == "You give one of your three paragraphs a single sentence."


@pytest.mark.parametrize(
    ("key", "text", "times"),
    [
        ("comma", "One, two, and 1,000 more", 2),
        ("semicolon", "One; two; three", 2),
        ("colon", "This: at 5:30, on https://x.example", 1),
        ("bracket", "One (two) [three](https://x.example)", 1),
        ("question", "What?! Why?? Now", 2),
        ("exclamation", "What! Now!! if a != b", 2),
        ("ellipsis", "Well... and so… on. . . it went", 3),
        ("quotation", "He said “no” and \"yes\" and ‘so’ and rock 'n' roll, it’s his dogs’ toy", 3),
        ("dash", "One—two -- three – four - five, well-known, 1914–18\n- a list", 4),
    ],
)
def test_marks_are_counted_where_they_are_marks(key, text, times):
    number = len(read(text).words)

    assert value(key, text) == pytest.approx(1000 * times / number)


def test_the_kind_of_dash_is_told_of_five_dashes_or_more():
    assert value("long_dash", "a—b—c—d—e") is None
    assert told("long_dash", "a—b—c—d—e—f") == "For a dash you set the long dash (—), always."
    assert told("long_dash", "a—b – c – d – e – f") == "For a dash you set the short dash (–) 80 times in 100."


def test_contractions_are_a_share_of_what_could_be_contracted():
    text = "I don't know. It is late and we’re tired. They have gone. The dog's toy is here, yes it is."

    assert value("contractions", text) == 50  # don't, we're of it is late, they have gone
    assert told("contractions", text) == "You make every second possible contraction, such as “don’t” or “it’s”."
    assert told("contractions", "I do not know.") == "You never contract: “do not” and “it is” stay whole."
    assert value("contractions", "Let us go. Let's go. You will, and yes, you will.") == 50
    assert value("contractions", "Nothing here.") is None


def test_people_are_counted_with_their_contractions():
    text = "I'm here with my dog. We said you’re his. They laughed."

    assert [value(key, text) for key in ("first_person", "we", "second_person", "third_person")] == pytest.approx(
        [2000 / 11, 1000 / 11, 1000 / 11, 2000 / 11]
    )


def test_openings_and_endings_are_counted_on_prose():
    text = "# Why?\n\nWhy? Because.\n\nBut so it is. And so on.\n\nShall we?"

    assert value("questions", text) == 40
    assert told("paragraphs_opened_by_question", text) == "You open two of your three paragraphs with a question."
    assert value("paragraphs_opened_by_joiner", text) == pytest.approx(100 / 3)
    assert value("sentences_opened_by_joiner", text) == 40
    assert told("posts_opened_by_question", text) == "You open your only post with a question."
    assert told("posts_ended_by_question", text, "No.") == "You end one of your two posts with a question."
    assert told("posts_ended_by_one_sentence", text, "No.") == (
        "You end one of your two posts with a paragraph of one sentence."
    )


def test_variety_is_the_mean_over_windows_of_a_hundred_words():
    assert value("variety", words(99)) is None
    assert value("variety", words(150)) == 1
    assert value("variety", " ".join(f"w{place}" for place in range(120))) == 100
    # Windows from 0 to 20 different words behind 100 equal ones.
    rising = words(100) + " " + " ".join(f"w{place}" for place in range(20))
    assert value("variety", rising) == pytest.approx((sum(range(1, 21)) + 20 * 0 + 1 + 20) / 21)


def test_readability_follows_its_formulas():
    sentence = "The ferryman counted seven strangers waiting there. "  # 45 letters, 7 words, 5 of 7 letters or more
    letters, long = sum(map(len, read(sentence).words)), sum(len(word) >= 7 for word in read(sentence).words)
    text = sentence * 20

    assert value("coleman_liau", text) == pytest.approx(0.0588 * 100 * letters / 7 - 0.296 * 100 / 7 - 15.8)
    assert value("lix", text) == pytest.approx(7 + 100 * long / 7)
    assert value("coleman_liau", sentence) is None


def test_measures_of_english_are_left_out_elsewhere():
    english, french, unknown = ({one.key for one in suitable(code)} for code in ("en", "fr", None))

    assert "coleman_liau" in english
    assert "lix" not in english
    assert "contractions" not in french
    assert "lix" in french
    assert french == unknown


def test_keys_are_unique():
    assert len(BY_KEY) == len(MEASURES)
