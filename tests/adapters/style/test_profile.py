"""Style profiles of hand-made posts."""

import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.style.evidence import LONGEST
from adapters.style.language import detect
from adapters.style.profile import Post, Profile, measure

FILLER = "The ferry came in late and the rain had not let up. We stood on the quay and waited for the bell. "


def post(key: int, text: str, written: date | None = None) -> Post:
    return Post(key=key, title=f"Post {key}", text=text, written=written)


def evidence_of(profile: Profile):
    for measured in profile.measures:
        yield from measured.evidence
    for found in (*profile.favourites, *profile.openings, *profile.endings):
        yield from found.evidence


def measured(profile: Profile, key: str):
    return next(each for each in profile.measures if each.key == key)


def test_posts_without_words_are_refused():
    with pytest.raises(ValueError, match="none of them has a word"):
        measure([])
    with pytest.raises(ValueError, match="none of them has a word"):
        measure([post(1, "…\n\n—")])


def test_totals_count_posts_with_words_and_prose():
    profile = measure([post(1, "# Tides\n\nIt is late. Go."), post(2, "  "), post(3, "And so it was.")], "en")

    assert (profile.posts, profile.words, profile.sentences, profile.paragraphs) == (2, 9, 3, 2)


def test_quartiles_are_those_of_the_posts():
    posts = [post(key, ("One, " * commas + "two " * (10 - commas) + ". ") * 70) for key, commas in enumerate(range(5))]
    comma = measured(measure(posts, "en"), "comma")

    assert (comma.value, comma.low, comma.high) == (200, 100, 300)
    assert (comma.mean, comma.pieces) == (200, 5)


def test_of_few_posts_passages_have_the_quartiles():
    assert measured(measure([post(1, FILLER * 60)], "en"), "comma").pieces == 4


def test_evidence_stands_in_the_posts_and_shows_the_measure():
    posts = [
        post(1, FILLER + "Was it the tide; or the moon?"),
        post(2, FILLER * 2),
        post(3, "Nobody knew; nobody asked. " + FILLER),
    ]
    profile = measure(posts)
    texts = {each.key: each.text for each in posts}

    for shown in evidence_of(profile):
        assert shown.text == texts[shown.post][shown.start : shown.end]
        assert 0 < len(shown.text) <= LONGEST
    assert sorted(shown.text for shown in measured(profile, "semicolon").evidence) == [
        "Nobody knew; nobody asked.",
        "Was it the tide; or the moon?",
    ]
    assert measured(profile, "exclamation").evidence == ()


def test_of_a_sentence_that_is_too_long_the_part_with_the_mark_is_shown():
    text = "and the rain came down " * 20 + "until (at last) it " + "let up and went away " * 20 + "."
    (shown,) = measured(measure([post(1, text)], "en"), "bracket").evidence

    assert len(shown.text) <= LONGEST
    assert "(at last)" in shown.text
    assert shown.text == text[shown.start : shown.end]


def test_favourites_stand_in_several_posts_and_are_compared_with_general_english():
    each = FILLER + "Peradventure it was the tide. I rather think so. "
    posts = [post(key, each + ("Zebulon came. " * 20 if key == 0 else FILLER)) for key in range(4)]
    found = {favourite.text: favourite for favourite in measure(posts).favourites}

    assert "zebulon" not in found
    rare = found["peradventure"]
    assert (rare.times, rare.posts) == (4, 4)
    assert rare.general_per_10_000 is not None
    assert rare.per_10_000 > 100 * rare.general_per_10_000
    assert all("Peradventure" in shown.text for shown in rare.evidence)
    assert len(rare.evidence) == 2


def test_favourite_phrases_are_no_parts_of_each_other():
    posts = [post(key, FILLER + f"In point of fact number{key} left. " + FILLER) for key in range(5)]
    phrases = [each.text for each in measure(posts).favourites if " " in each.text]

    assert "in point of fact" in phrases
    assert not [one for one in phrases for other in phrases if one != other and f" {one} " in f" {other} "]


def test_habits_of_opening_and_ending_are_told_with_their_share():
    posts = [post(key, f"So the {key} bells rang. {FILLER}We shall see.") for key in range(4)]
    profile = measure(posts)
    (opening,) = [each for each in profile.openings if (each.where, each.text) == ("posts", "so the")]
    (ending,) = [each for each in profile.endings if each.text == "shall see"]

    assert (opening.times, opening.share) == (4, 1.0)
    assert opening.sentence == "You begin every post with “So the”."
    assert all(shown.text.startswith("So the") for shown in opening.evidence)
    assert ending.sentence == "You end every post with “shall see”."


def test_shapes_have_no_gaps_and_shares_make_one():
    for shape in measure([post(1, FILLER * 9 + "\n\n" + "One. " * 30)]).shapes:
        assert sum(each.share for each in shape.bins) == pytest.approx(1)
        for one, other in zip(shape.bins, shape.bins[1:], strict=False):
            assert one.high is not None
            assert other.low == one.high + 1
        assert shape.bins[-1].high is None
    sentences = measure([post(1, "One two. " * 3 + "One two three four five six.")], "en").shapes[0]
    assert [each.share for each in sentences.bins][:3] == [0.75, 0.25, 0]


def test_years_are_measured_apart_and_undated_posts_are_told():
    posts = [
        post(1, "One, two. Three.", date(2019, 5, 1)),
        post(2, "One two three four.", date(2021, 1, 1)),
        post(3, "Five, six.", date(2019, 2, 1)),
        post(4, "Seven."),
    ]
    profile = measure(posts, "en")

    assert (profile.first, profile.last) == (date(2019, 2, 1), date(2021, 1, 1))
    assert [(year.year, year.posts, year.words) for year in profile.years] == [(2019, 2, 5), (2021, 1, 4)]
    assert [year.values["comma"] for year in profile.years] == [400, 0]
    assert "One post without a date counts in no year." in profile.notes


def test_leanings_name_the_words_that_are_used_more_and_less():
    text = ("Upon the hill upon the moor whilst rain fell upon it. " * 30 + "\n\n") * 10
    profile = measure([post(1, text), post(2, text)], "en")
    more, less = measured(profile, "leaning_more"), measured(profile, "leaning_less")

    assert "“upon”" in more.sentence
    assert "“to” never" in less.sentence
    assert more.value > 100
    assert less.value == 0


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (FILLER, "en"),
        ("Der Hund ist in dem Haus und er hat die Katze nicht gesehen, weil sie auf dem Dach war.", "de"),
        ("Le chat est dans la maison et il ne veut pas sortir parce que c’est la nuit.", "fr"),
        ("你好。再见！", None),
        ("xyzzy plugh", None),
        ("", None),
    ],
)
def test_languages_are_told_by_their_commonest_words(text, language):
    assert detect(text) == language


def test_in_another_language_english_measures_are_left_out_and_that_is_said():
    profile = measure(
        [post(1, "Der Hund ist in dem Haus und er hat die Katze nicht gesehen, weil sie auf dem Dach war.")]
    )

    assert profile.language == "de"
    assert not {"contractions", "coleman_liau", "function_words"} & {each.key for each in profile.measures}
    assert any("in English only" in note for note in profile.notes)


def test_a_profile_survives_json():
    profile = measure([post(1, FILLER * 3, date(2020, 1, 1)), post(2, FILLER + "Was it? It was; so…")])

    assert Profile.from_dict(json.loads(json.dumps(profile.as_dict()))) == profile


def test_the_same_posts_give_the_same_profile():
    posts = [post(key, FILLER * (key + 1)) for key in range(3)]

    assert measure(posts) == measure(posts)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(), max_size=80), min_size=1, max_size=3))
def test_any_text_with_a_word_can_be_measured(texts):
    posts = [post(key, f"word {text}") for key, text in enumerate(texts)]
    profile = measure(posts)

    assert profile.posts == len(posts)
    for shown in evidence_of(profile):
        assert shown.text == posts[shown.post].text[shown.start : shown.end]
    for each in profile.measures:
        assert each.sentence.endswith(".")
        assert each.low <= each.high


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("Hello there.", "Two words say little yet"),
        ("昨天我走过那座桥，桥上没有人。", "no spaces between words"),
    ],
)
def test_what_cannot_be_trusted_is_said(text, note):
    profile = measure([Post(key=1, title="", text=text, written=None)])
    assert any(note in each for each in profile.notes)


def test_of_enough_writing_with_spaces_nothing_of_that_kind_is_said():
    text = "It rained. Nobody came, and the ferry stayed where it was. " * 250
    notes = measure([Post(key=1, title="", text=text, written=None)]).notes
    assert not [each for each in notes if "say little" in each or "spaces" in each]
