"""What is no prose of the author's."""

import pytest

from adapters.style.writers import demo_writers
from adapters.training.screening import foreign, junk

PROSE = "When I came home it was late, and the kettle had been on the stove all day; nobody had thought of it. "
ENGLISH = [
    "It was late when I came to the house, and the door was open. I did not know what to do with it, so I sat down on "
    f"the step and waited until somebody came. It was the {word} who came, and he said that it was always like this in "
    "the winter, because the wood of the door was old and the lock was not worth the iron that it was made of."
    for word in ("baker", "postman", "neighbour", "plumber", "gardener", "doctor")
]
GERMAN = (
    "Es war spät, als ich nach Hause kam, und die Tür stand offen. Ich wusste nicht, was ich damit anfangen sollte, "
    "also setzte ich mich auf die Stufe und wartete, bis jemand kam. Es war der Bäcker, und er sagte, dass es im "
    "Winter immer so sei, weil das Holz alt ist und das Schloss das Eisen nicht wert, aus dem es gemacht wurde."
)
FRENCH = (
    "Il était tard quand je suis rentré à la maison, et la porte était ouverte. Je ne savais pas quoi en faire, alors "
    "je me suis assis sur la marche et j'ai attendu que quelqu'un vienne. C'était le boulanger, et il a dit que "
    "c'était toujours comme ça en hiver, parce que le bois est vieux et que la serrure ne vaut pas le fer dont elle "
    "est faite."
)
CODE = "for (int i = 0; i < n; ++i) { total += *(values + i); }\nif (total > LIMIT) { return &table[total % SIZE]; }\n"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("https://a.example/1\nhttps://a.example/2\nRead this", "links"),
        ("www.a.example and HTTPS://b.example", "links"),
        (CODE, "code"),
        (PROSE + CODE * 3, "code"),
        ("\n".join(f"- entry number {n}" for n in range(10)), "list"),
        ("\n".join(f"{n}. entry" for n in range(30)) + "\nThe end.", "list"),
    ],
)
def test_junk_is_named(text, kind):
    assert junk(text)[0] == kind


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        PROSE * 3 + "https://a.example/1 tells more.",
        PROSE + "https://a.example/?" + "a=1&" * 30,
        PROSE * 4 + CODE,
        PROSE + "\n".join(f"- entry number {n}" for n in range(8)) + "\n" + PROSE,
        "\n".join(f"- entry number {n}" for n in range(9)),
        "A poem has short lines,\nand none of them\nis an entry,\n" * 4,
        "“Ja”, sagte er – „so“ … (nein!)",
        "",
    ],
)
def test_prose_is_left_alone(text):
    assert junk(text) is None


@pytest.mark.parametrize("stranger", [GERMAN, FRENCH])
def test_a_post_in_another_language_than_the_others_is_found(stranger):
    texts = dict(enumerate(ENGLISH, 1)) | {99: stranger}

    assert set(foreign(texts)) == {99}
    assert foreign(texts)[99] < 0.1


def test_it_is_the_authors_own_language_that_counts_and_not_english():
    german = {n: GERMAN.replace("Bäcker", f"Bäcker {word}") for n, word in enumerate(["Karl", "Otto", "Emil", "Paul"])}

    assert set(foreign(german | {99: ENGLISH[0]})) == {99}


def test_where_two_languages_are_equally_common_neither_is_left_out():
    assert foreign(dict(enumerate([*ENGLISH[:3], *[GERMAN] * 3]))) == {}


def test_too_little_is_not_asked_for_its_language():
    assert foreign(dict(enumerate(ENGLISH, 1)) | {99: "Guten Morgen, liebe Leute."}) == {}
    assert foreign({1: ENGLISH[0], 2: GERMAN}) == {}


def test_a_language_without_spaces_is_left_alone():
    # Few of its runs of letters stand in two texts, and in one of these texts none does.
    texts = {n: "。".join(f"文{n}章{place}" for place in range(60)) for n in range(5)}
    usual = {n: text + "。夜は遅く" * 4 if n else text for n, text in texts.items()}

    assert foreign(usual) == {}


def test_no_demo_post_is_taken_for_junk_or_for_another_language():
    for texts in demo_writers().values():
        assert not any(junk(text) for text in texts)
        assert foreign(dict(enumerate(texts))) == {}
