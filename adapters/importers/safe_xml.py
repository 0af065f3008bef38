"""XML from strangers, element by element: nothing is fetched, no entity is expanded, and what is broken is repaired.
Knows lxml's switches and what they leave open. Knows no vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, Any, Final

from lxml import etree

from adapters.errors import say
from adapters.importers.item import HEAD, File, Unreadable

_CONTROLS: Final = bytes(set(range(32)) - {9, 10, 13})
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00")
# At the end of the file, an element or a listing was still open.
_BREAKS_OFF: Final = (
    etree.ErrorTypes.ERR_TAG_NOT_FINISHED,
    etree.ErrorTypes.ERR_CDATA_NOT_FINISHED,
    etree.ErrorTypes.ERR_GT_REQUIRED,
    etree.ErrorTypes.ERR_DOCUMENT_END,
)


class _Readable:
    """A stream without the control characters at which a parser gives up, and without endings of its own to repair."""

    def __init__(self, stream: IO[bytes], wide: bool) -> None:
        self._stream = stream
        self._wide = wide

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        return data if self._wide else data.translate(None, _CONTROLS)


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
        found = False
        try:
            for _, element in parsing:
                found = True
                yield element
                _forget(element)
        except etree.XMLSyntaxError as error:
            if not found:
                raise Unreadable(say("import.broken_xml", line=error.lineno or 1)) from error
            on_damage(say("import.truncated_xml", line=error.lineno or 1))
            return
        damage = [entry for entry in parsing.error_log if entry.level >= etree.ErrorLevels.ERROR]
        if damage and all(entry.type in _BREAKS_OFF for entry in damage):
            on_damage(say("import.truncated_xml", line=damage[0].line))
        elif damage:
            on_damage(say("import.repaired_xml", line=damage[0].line, count=len(damage)))


def root_of(file: File) -> str:
    """The name of the document's first element, without its namespace; empty where it is no XML."""
    if not file.head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and not file.head.startswith(_WIDE):
        return ""
    parser = etree.XMLPullParser(events=("start",), recover=True, resolve_entities=False, no_network=True)
    try:
        parser.feed(file.head[:HEAD])
        for _, element in parser.read_events():
            return str(etree.QName(element).localname) if isinstance(element.tag, str) else ""
    except etree.XMLSyntaxError:
        pass
    return ""


def _forget(element: Any) -> None:
    """Empty it, and drop what stands before it: else the whole document grows in memory."""
    element.clear(keep_tail=False)
    while element.getprevious() is not None:
        del element.getparent()[0]
