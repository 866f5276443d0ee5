"""YAML text as plain values, each with the place where it stands.

YAML 1.2: `on` and `yes` are text, only `true` and `false` are not. What a small
configuration file never needs is refused, because it is only ever an attack or a
mistake: tags, endless depth, aliases that swell, keys that are not text.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from vibeboard.errors import ConfigInvalid, Fault

MOST_BYTES = 256 * 1024
MOST_DEPTH = 50
MOST_VALUES = 10_000

Key = str | int
Location = Sequence[Key]

_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_DECIMAL = re.compile(
    r"[-+]?(\.[0-9]{1,18}|[0-9]{1,18}(\.[0-9]{0,18})?)(e[-+]?[0-9]{1,3})?",
    re.IGNORECASE,
)
_WORDS = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True)
class Place:
    """A place in the text; both count from 1."""

    line: int
    column: int


class Node:
    """A value and where it begins; ``size`` counts it with every alias written out."""

    def __init__(self, offset: int, scalar: Any = None) -> None:
        self.offset = offset
        self.scalar = scalar
        self.size = 1
        self.height = 1

    @property
    def value(self) -> Any:
        """The plain value: text, number, truth value or None."""
        return self.scalar

    def child(self, key: Key) -> "Node | None":  # noqa: ARG002 - nothing in a scalar
        """What stands under ``key``."""
        return None

    def offset_of(self, key: Key) -> int:
        """Where ``key`` is written; an entry of a list has only its value."""
        child = self.child(key)
        return child.offset if child else self.offset

    def grow(self, child: "Node") -> None:
        """Count ``child`` in."""
        self.size += child.size
        self.height = max(self.height, child.height + 1)


class ListNode(Node):
    """A list."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.entries: list[Node] = []

    @property
    def value(self) -> list[Any]:
        """The list of plain values."""
        return [entry.value for entry in self.entries]

    def child(self, key: Key) -> Node | None:
        """The entry at ``key``."""
        is_there = isinstance(key, int) and 0 <= key < len(self.entries)
        return self.entries[int(key)] if is_there else None


class MapNode(Node):
    """A mapping; ``keys`` has the offset of each key."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.entries: dict[str, Node] = {}
        self.keys: dict[str, int] = {}

    @property
    def value(self) -> dict[str, Any]:
        """The mapping to plain values."""
        return {key: entry.value for key, entry in self.entries.items()}

    def child(self, key: Key) -> Node | None:
        """The value at ``key``."""
        return self.entries.get(str(key))

    def offset_of(self, key: Key) -> int:
        """Where ``key`` is written."""
        return self.keys[str(key)]


class _Text:
    """A file's text; turns offsets into places and complaints into faults."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(end.end() for end in re.finditer(r"\r\n|\r|\n", self.text))]

    def place(self, offset: int) -> Place:
        # The end of a file that ends in a line break is on that last line: editors
        # and GitHub's annotations know no line after it.
        starts = self._starts
        if len(starts) > 1 and starts[-1] == len(self.text):
            starts = starts[:-1]
        line = bisect_right(starts, offset)
        start = starts[line - 1]
        written = re.compile(r"[^\r\n]*").match(self.text, start)
        end = written.end() if written else start
        return Place(line, min(offset, end) - start + 1)

    def fault(self, offset: int, message: str) -> Fault:
        place = self.place(offset)
        return Fault(self.path, place.line, place.column, message)

    def refuse(self, offset: int, message: str) -> ConfigInvalid:
        return ConfigInvalid((self.fault(offset, message),))


class Document:
    """A file that is well-formed: its plain values, and the place of each."""

    def __init__(self, text: _Text, root: MapNode) -> None:
        self._text = text
        self.root = root

    @property
    def value(self) -> dict[str, Any]:
        """The whole file as plain values."""
        return self.root.value

    def fault(self, location: Location, message: str, *, at_key: bool = False) -> Fault:
        """A fault at ``location``, or at the nearest place around it.

        ``at_key`` points at the key instead of at its value; then ``message`` must
        name the key itself.
        """
        names = [key for key in location if isinstance(key, str)]
        if names and not at_key:
            message = f"{names[-1]}: {message}"
        node: Node = self.root
        offset = node.offset
        for key in location:
            child = node.child(key)
            if child is None:
                break
            offset = node.offset_of(key) if at_key else child.offset
            node = child
        return self._text.fault(offset, message)


def read(text: str, path: str) -> Document:
    """Read one YAML mapping; raises ConfigInvalid with the place of the fault."""
    source = _Text(text.removeprefix("\ufeff"), path)
    if len(text.encode(errors="surrogatepass")) > MOST_BYTES:
        raise source.refuse(0, f"the file is larger than {MOST_BYTES // 1024} KiB")
    return Document(source, _Composer(source).compose())


class _Composer:
    """Builds nodes out of the parser's events, and refuses while it reads."""

    def __init__(self, source: _Text) -> None:
        self._source = source
        self._anchors: dict[str, Node | None] = {}
        self._open: list[tuple[Node, str | None]] = []
        self._key: tuple[str, int] | None = None
        self._waiting: list[tuple[str, int] | None] = []
        self._root: Node | None = None
        self._documents = 0
        self._values = 0
        self._offset = 0

    def compose(self) -> MapNode:
        for event in self._events():
            self._take(event)
        if self._root is None:
            raise self._source.refuse(0, "the file is empty; begin with `version: 1`")
        if not isinstance(self._root, MapNode):
            message = "the file must be a mapping that begins with `version: 1`"
            raise self._source.refuse(self._root.offset, message)
        return self._root

    def _events(self) -> Iterator[Event]:
        try:
            for event in YAML(typ="safe", pure=True).parse(self._source.text):
                self._offset = event.start_mark.index
                yield event
        except MarkedYAMLError as error:
            offset = self._offset_of(error)
            raise self._source.refuse(offset, self._told(error, offset)) from error
        except YAMLError as error:
            offset = int(getattr(error, "position", self._offset))
            message = "a character that YAML does not allow"
            raise self._source.refuse(offset, message) from error
        except (ValueError, OverflowError) as error:
            message = f"not YAML that can be read: {error}"
            raise self._source.refuse(self._offset, message) from error

    def _offset_of(self, error: MarkedYAMLError) -> int:
        """Where it went wrong; what never ends went wrong where it began."""
        marks = [mark for mark in (error.problem_mark, error.context_mark) if mark]
        inside = [m.index for m in marks if m.index < len(self._source.text.rstrip())]
        return inside[0] if inside else self._offset

    def _told(self, error: MarkedYAMLError, offset: int) -> str:
        if self._source.text[offset : offset + 1] == "\t":
            return "a tab; YAML is indented with spaces"
        said = (error.context, error.problem)
        told = "not YAML: " + ", ".join(str(part) for part in said if part)
        return told.replace("'<stream end>'", "the end of the file")

    def _take(self, event: Event) -> None:
        match event:
            case DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    message = "a second document; the file must hold one"
                    raise self._refuse(message)
            case MappingStartEvent():
                self._begin(MapNode(self._offset), event)
            case SequenceStartEvent():
                self._begin(ListNode(self._offset), event)
            case MappingEndEvent() | SequenceEndEvent():
                self._end()
            case AliasEvent():
                self._add(self._known(event.anchor))
            case ScalarEvent():
                self._scalar(event)

    def _refuse(self, message: str) -> ConfigInvalid:
        return self._source.refuse(self._offset, message)

    def _check(self, event: CollectionStartEvent | ScalarEvent) -> None:
        if event.tag is not None:
            raise self._refuse(f"the tag {event.tag!r}; tags are not used here")
        self._values += 1
        if self._values > MOST_VALUES:
            raise self._refuse(f"more than {MOST_VALUES} values")

    def _begin(self, node: Node, event: CollectionStartEvent) -> None:
        self._check(event)
        if self._awaits_key:
            raise self._refuse("a key must be text")
        if len(self._open) >= MOST_DEPTH:
            raise self._refuse(f"nested deeper than {MOST_DEPTH} levels")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._open.append((node, event.anchor))
        # What stands inside has keys of its own; the outer key waits with its node.
        self._waiting.append(self._key)
        self._key = None

    def _end(self) -> None:
        node, anchor = self._open.pop()
        self._key = self._waiting.pop()
        if anchor is not None:
            self._anchors[anchor] = node
        self._add(node)

    @property
    def _awaits_key(self) -> bool:
        inside_mapping = bool(self._open) and isinstance(self._open[-1][0], MapNode)
        return inside_mapping and self._key is None

    def _known(self, anchor: str) -> Node:
        if anchor not in self._anchors:
            raise self._refuse(f"the alias *{anchor} has no anchor before it")
        node = self._anchors[anchor]
        if node is None:
            raise self._refuse(f"the alias *{anchor} stands inside what it names")
        if self._awaits_key:
            raise self._refuse("a key must be text, not an alias")
        return node

    def _scalar(self, event: ScalarEvent) -> None:
        self._check(event)
        if re.search("[\ud800-\udfff]", event.value):
            raise self._refuse("half of a character (a lone surrogate)")
        if self._awaits_key:
            self._begin_entry(event.value)
            return
        plain = event.style is None
        node = Node(self._offset, _resolved(event.value) if plain else event.value)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._add(node)

    def _begin_entry(self, key: str) -> None:
        mapping = self._open[-1][0]
        if isinstance(mapping, MapNode) and key in mapping.keys:
            first = self._source.place(mapping.keys[key]).line
            raise self._refuse(f"the key {key!r} is already on line {first}")
        self._key = (key, self._offset)

    def _add(self, node: Node) -> None:
        if not self._open:
            self._root = node
            return
        parent = self._open[-1][0]
        if isinstance(parent, MapNode) and self._key is not None:
            key, offset = self._key
            parent.keys[key] = offset
            parent.entries[key] = node
            self._key = None
        elif isinstance(parent, ListNode):
            parent.entries.append(node)
        parent.grow(node)
        if parent.size > MOST_VALUES or parent.height > MOST_DEPTH:
            raise self._refuse("the aliases make the file too large")


def _resolved(plain: str) -> Any:
    """What an unquoted word means in YAML 1.2; what is no number stays text."""
    if plain in _WORDS:
        return _WORDS[plain]
    if _WHOLE.fullmatch(plain):
        return int(plain)
    if _DECIMAL.fullmatch(plain):
        return float(plain)
    return plain
