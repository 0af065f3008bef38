"""XML from strangers, element by element: nothing is fetched, no entity is expanded, and what is broken is repaired.
Knows lxml's switches and what they leave open. Knows no vocabulary."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Final

from lxml import etree

from adapters.errors import say
from adapters.importers.item import HEAD, File, Unreadable

_CONTROLS: Final = bytes(set(range(32)) - {9, 10, 13})
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00")
# Nothing is lost by these: a name keeps its prefix, and a character by name stays as it is written.
_HARMLESS: Final = frozenset({etree.ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE, etree.ErrorTypes.ERR_UNDECLARED_ENTITY})
_TAIL: Final = 1000
"""Bytes at the end in which the end of the document is looked for: some servers add a comment of theirs."""


class _Readable:
    """A stream without the control characters at which a parser gives up, and without blank lines at its start."""

    def __init__(self, stream: IO[bytes], wide: bool) -> None:
        self._stream = stream
        self._wide = wide
        self._begun = False
        self._tail = b""
        self.ended = False

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        while data and not self._wide:
            readable = data.translate(None, _CONTROLS)
            # Plugins leave blank lines before the declaration, which has to be the first thing in a document.
            readable = readable if self._begun else readable.lstrip()
            if readable:
                self._begun = True
                data = readable
                break
            data = self._stream.read(size)
        self.ended = not data
        self._tail = (self._tail + data)[-_TAIL:]
        return data

    def breaks_off(self, root: str) -> bool:
        """Whether it has ended without the end of the element `root`."""
        end = rb"</(?:[^<>]*:)?" + re.escape(root.encode()) + rb"\s*>"
        return self.ended and not re.search(end, self._tail.replace(b"\0", b""))


def elements(file: File, *tags: str, on_damage: Callable[[str], None]) -> Iterator[Any]:
    """Every element of these names, `{namespace}name` or `{*}name`, when it ends; afterwards it is emptied.

    `on_damage` is told a sentence when something was lost. Raises Unreadable for what is no XML, and for documents that
    define entities of their own: those are what bombs are made of.
    """
    if b"<!ENTITY" in file.head:
        raise Unreadable(say("import.xml_entities"))
    with file.open() as stream:
        readable = _Readable(stream, file.head.startswith(_WIDE))
        parsing = etree.iterparse(
            readable,
            events=("end",),
            tag=tags,
            recover=True,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
        )
        root = root_of(file)
        found = False
        try:
            for _, element in parsing:
                if readable.breaks_off(root):  # it was closed because nothing more came: who knows what it lacks
                    continue
                found = True
                yield element
                _forget(element)
        except etree.XMLSyntaxError as error:
            if not found:
                raise Unreadable(say("import.broken_xml", line=error.lineno or 1)) from error
            on_damage(say("import.truncated_xml", line=error.lineno or 1))
            return
        damage = damage_in(parsing.error_log)
        if not damage:
            return
        if not found:
            raise Unreadable(say("import.broken_xml", line=damage[0].line))
        given_up = damage[-1].type == etree.ErrorTypes.ERR_RESOURCE_LIMIT
        if given_up or readable.breaks_off(root):
            on_damage(say("import.truncated_xml", line=damage[-1].line))
        else:
            on_damage(say("import.repaired_xml", line=damage[0].line))


def damage_in(log: Iterable[Any]) -> list[Any]:
    """The entries of a parser's log that tell of a loss."""
    return [entry for entry in log if entry.level >= etree.ErrorLevels.ERROR and entry.type not in _HARMLESS]


def root_of(file: File) -> str:
    """The name of the document's first element, without its namespace; empty where it is no XML."""
    if not file.head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and not file.head.startswith(_WIDE):
        return ""
    parser = etree.XMLPullParser(events=("start",), recover=True, resolve_entities=False, no_network=True)
    try:
        parser.feed(file.head[:HEAD])
        for _, element in parser.read_events():
            return local_name(element)
    except etree.XMLSyntaxError:
        pass
    return ""


def local_name(element: Any) -> str:
    """Without its namespace, and without its prefix where that stands for none; empty for what is no element."""
    return re.split("[}:]", element.tag)[-1] if isinstance(element.tag, str) else ""


def _forget(element: Any) -> None:
    """Empty it, and drop what stands before it: else the whole document grows in memory."""
    element.clear(keep_tail=False)
    while element.getprevious() is not None:
        del element.getparent()[0]
