"""What tells two profiles apart."""

import random

from adapters.style.comparison import Difference, compare
from adapters.style.profile import Post, Profile, measure


def written(seed: int, sentence_words: int, posts: int = 8) -> Profile:
    """Posts of sentences about so long, by chance."""
    chance = random.Random(seed)

    def sentence() -> str:
        size = sentence_words + chance.randrange(-2, 3)
        return " ".join(chance.choices(["rain", "tide", "and", "the", "bell"], k=size)).capitalize() + "."

    texts = (" ".join(sentence() for _ in range(20)) for _ in range(posts))
    return measure([Post(key=key, title="", text=text, written=None) for key, text in enumerate(texts)], "en")


def test_the_greatest_difference_comes_first_and_is_told_with_both_names():
    found = compare(written(1, 22), written(2, 14), names=("2015 to 2018", "2019 to 2024"))
    lengths = next(each for each in found if each.key == "sentence_length")

    assert (lengths.one, lengths.other) == (22, 14)
    assert lengths.effect < -3
    assert lengths.sentence == ("Sentences are shorter in 2019 to 2024 than in 2015 to 2018: 14 words instead of 22.")
    assert [abs(each.effect) for each in found] == sorted((abs(each.effect) for each in found), reverse=True)


def test_the_other_way_round_the_difference_turns():
    there, back = compare(written(1, 22), written(2, 14)), compare(written(2, 14), written(1, 22))

    assert {each.key: each.effect for each in there} == {each.key: -each.effect for each in back}
    assert "Sentences are longer in the second than in the first: 22 words instead of 14." in [
        each.sentence for each in back
    ]


def test_what_chance_does_is_left_out():
    told = [len(compare(written(seed, 14), written(seed + 100, 14))) for seed in range(8)]

    assert sum(told) <= 1


def test_too_few_posts_tell_nothing():
    assert compare(written(1, 22, posts=1), written(2, 14, posts=1)) == ()


def test_a_profile_does_not_differ_from_itself():
    assert compare(written(1, 14), written(1, 14)) == ()


def test_a_difference_survives_json():
    found = compare(written(1, 22), written(2, 14))[0]

    assert Difference.from_dict(found.as_dict()) == found
