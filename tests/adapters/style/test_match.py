"""Where a text falls among an author's own pieces."""

import json
import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.style.match import SHORTEST, Match, Voiceprint, fit
from adapters.style.profile import Post
from adapters.style.writers import demo_writers

HELD_OUT = 4


@cache
def voiceprint(writer: str) -> Voiceprint:
    return fit(posts(demo_writers()[writer][HELD_OUT:]))


def posts(texts: list[str]) -> list[Post]:
    return [Post(key=key, title="", text=text, written=None) for key, text in enumerate(texts)]


def median_percentile(voice: Voiceprint, texts: list[str]) -> float:
    found = sorted(match.percentile for match in map(voice.match, texts) if match.percentile is not None)
    return found[len(found) // 2]


@pytest.mark.parametrize("writer", demo_writers())
def test_an_authors_own_posts_are_usual_and_anothers_are_not(writer):
    (other,) = set(demo_writers()) - {writer}
    own = median_percentile(voiceprint(writer), demo_writers()[writer][:HELD_OUT])

    assert own > 20
    assert median_percentile(voiceprint(writer), demo_writers()[other]) < own / 2


def test_own_pieces_are_spread_evenly_over_the_percentiles():
    writer = min(demo_writers())
    texts = demo_writers()[writer]
    found = []
    for place in range(0, len(texts), 6):  # every post held out once
        voice = fit(posts(texts[:place] + texts[place + 6 :]))
        paragraphs = [each for text in texts[place : place + 6] for each in voice.match(text).paragraphs]
        found += [each.percentile for each in paragraphs if each.percentile is not None]

    assert len(found) > 80
    assert sum(each < 50 for each in found) / len(found) == pytest.approx(0.5, abs=0.15)
    assert sum(each < 10 for each in found) / len(found) == pytest.approx(0.1, abs=0.08)


def test_reasons_have_figures_and_are_given_only_where_a_text_is_unusual():
    voice = voiceprint("maren-oakes")
    text = " ".join(["The ferryman who had waited upon the quay went on and on;"] * 12) + " he left."
    match = voice.match(text)

    assert match.level == "unlike you"
    assert 1 <= len(match.why) <= 3
    assert "sentences of 147 words on average, yours mostly have 6 to 9" in match.why or any(
        "sentences of" in reason for reason in match.why
    )
    for each in voice.match(demo_writers()["maren-oakes"][0]).paragraphs:
        assert not each.why or each.level != "like you"


@pytest.mark.parametrize("writer", demo_writers())
def test_another_language_is_unlike_and_the_reason_is_its_words(writer):
    match = voiceprint(writer).match("Der Hund ist in dem Haus, und er hat die Katze auf dem Dach nicht gesehen. " * 6)

    assert match.level == "unlike you"
    assert any("words are common ones" in reason for reason in match.why)


def test_words_alone_tell_who_wrote_a_text():
    def written(seed: int, little: list[str]) -> str:
        chance = random.Random(seed)
        # Both have words of as many letters in the same places.
        return "\n\n".join(
            " ".join(f"The {chance.choice(['rain', 'tide'])} {chance.choice(little)} fall." for _ in range(15))
            for _ in range(4)
        )

    voice = fit(posts([written(seed, ["shall", "might"]) for seed in range(8)]))
    other = voice.match(written(8, ["would", "could"]))

    assert voice.match(written(8, ["shall", "might"])).level == "like you"
    assert other.level == "unlike you"
    assert any("“would”" in reason for reason in other.why)
    assert any("“shall”" in reason for reason in other.why)


def test_short_paragraphs_have_no_percentile_and_say_so():
    own = demo_writers()["maren-oakes"][0].split("\n\n")
    long = next(part for part in own if len(part.split()) > 40)
    match = voiceprint("maren-oakes").match(f"Too short.\n\n{long}")
    short, told = match.paragraphs

    assert (short.percentile, short.level) == (None, None)
    assert short.why == (f"Too short to say: two words, and {SHORTEST} are needed.",)
    assert told.percentile is not None


def test_a_text_without_words_has_no_percentile():
    match = voiceprint("maren-oakes").match("…")

    assert (match.percentile, match.level, match.words, match.paragraphs) == (None, None, 0, ())
    assert match.sentence == f"Too short to say: no words, and {SHORTEST} are needed."


def test_too_little_of_the_authors_own_leaves_nothing_to_compare_with():
    match = fit(posts(["The ferry came in late."])).match("The ferry came in late and we waited. " * 10)

    assert match.percentile is None
    assert match.sentence == "Too little of your own writing to compare with: 5 words; add posts."


def test_one_long_post_is_compared_by_its_passages():
    voice = fit(posts(["\n\n".join(demo_writers()["maren-oakes"][1:])]))

    assert voice.posts == 1
    assert voice.scales
    assert voice.match(demo_writers()["maren-oakes"][0]).percentile > 20


def test_posts_without_words_are_refused():
    with pytest.raises(ValueError, match="none of them has a word"):
        fit(posts(["", "—"]))


def test_languages_without_a_list_of_words_can_be_matched():
    chance = random.Random(0)
    texts = [" ".join(chance.choices(["xo", "mbe", "tala,", "ruk.", "sili"], k=300)) for _ in range(6)]
    voice = fit(posts(texts))

    assert voice.language is None
    assert voice.match(texts[0]).percentile is not None


def test_a_voiceprint_survives_json_is_small_and_answers_the_same():
    voice = voiceprint("ignatius-bell")
    kept = json.dumps(voice.as_dict())
    text = demo_writers()["maren-oakes"][0]

    assert len(kept) < 60_000
    assert Voiceprint.from_dict(json.loads(kept)) == voice
    assert Voiceprint.from_dict(json.loads(kept)).match(text) == voice.match(text)
    assert Match.from_dict(json.loads(json.dumps(voice.match(text).as_dict()))) == voice.match(text)


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(), max_size=300).map(lambda text: text + " the tide came in" * 8))
def test_any_text_can_be_matched_and_paragraphs_stand_in_it(text):
    match = voiceprint("maren-oakes").match(text)

    assert match.percentile is None or 0 <= match.percentile <= 100
    assert sum(each.words for each in match.paragraphs) == match.words
    for each in match.paragraphs:
        assert 0 <= each.start < each.end <= len(text)
        assert each.percentile is None or 0 <= each.percentile <= 100
