"""XML from strangers, whole, broken and hostile."""

from __future__ import annotations

import pytest

from adapters.importers import File, Unreadable
from adapters.importers.safe_xml import elements, root_of

BEGIN = "<rss><channel>"
END = "</channel></rss>"


def read(document: str | bytes) -> tuple[list[str], list[str]]:
    """The words of each item, and what was lost."""
    damage: list[str] = []
    file = File.of("a.xml", document.encode() if isinstance(document, str) else document)
    return ["".join(item.itertext()) for item in elements(file, "item", on_damage=damage.append)], damage


def test_elements_come_one_after_the_other():
    assert read(f"{BEGIN}<item>One</item>\n<item><b>Tw</b>o</item>{END}") == (["One", "Two"], [])


@pytest.mark.parametrize(
    "document",
    [
        f"\n\n <?xml version='1.0'?>{BEGIN}<item>One</item>{END}",
        f"{' ' * 70_000}{BEGIN}<item>One</item>{END}",
        f"{BEGIN}<item><x:b>One</x:b></item>{END}",
        f"{BEGIN}<item>O\x0bne</item>{END}",
    ],
)
def test_what_loses_nothing_is_no_damage(document):
    assert read(document) == (["One"], [])


def test_a_character_by_name_stays_as_it_is_written():
    assert read(f"{BEGIN}<item>a&nbsp;b</item>{END}") == (["a&nbsp;b"], [])


def test_repaired_damage_is_said():
    found, [said] = read(f"{BEGIN}<item>One</item>\n<item>Ham & Eggs</item>{END}")
    assert found[0] == "One"
    assert said.startswith("The file is damaged from line 2 on.")


def test_mixed_up_elements_are_repaired():
    found, [said] = read(f"{BEGIN}<item><b>One</item>{END}")
    assert found == ["One"]
    assert "repaired" in said


@pytest.mark.parametrize(
    "rest",
    ["<item>Tw", "<item><![CDATA[Tw", "<item>Two</item", "<item>Two</it", '<item><b a="', "", f"<item>{'<a>' * 300}"],
)
def test_of_a_document_that_breaks_off_only_what_is_whole_is_read(rest):
    found, [said] = read(f"{BEGIN}<item>One</item>{rest}")
    assert found == ["One"]
    assert said.startswith("The file breaks off at line 1;")


@pytest.mark.parametrize("document", ["", "plain text", "{}"])
def test_what_is_no_xml_is_said(document):
    with pytest.raises(Unreadable, match="damaged at line 1"):
        read(document)


def test_entities_of_its_own_are_refused():
    with pytest.raises(Unreadable, match="entities of its own"):
        read(f'<!DOCTYPE rss [<!ENTITY a "b">]>{BEGIN}<item>&a;</item>{END}')


@pytest.mark.parametrize("before", ["", "\ufeff", "\n\n", "<?xml version='1.0'?><!-- made by -->"])
def test_the_first_element_tells_the_vocabulary(before):
    assert root_of(File.of("a.xml", f"{before}<rss><channel>".encode())) == "rss"


@pytest.mark.parametrize(("first", "name"), [("<a:feed xmlns:a='urn:a'>", "feed"), ("<a:feed>", "feed"), ("<a:>", "")])
def test_a_prefix_is_no_part_of_the_name(first, name):
    assert root_of(File.of("a.xml", first.encode())) == name


def test_other_files_have_no_first_element():
    assert [root_of(File.of("a", data)) for data in (b"", b"<", b"text", b"{}")] == ["", "", "", ""]
