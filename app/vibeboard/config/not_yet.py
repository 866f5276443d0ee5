"""What the models know and this version does not carry out yet.

One table, which later versions shorten. Such a key is refused, never ignored: a team
that wrote `gate:` must not believe that one is in force.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from vibeboard.config.document import Document, Key, ListNode, MapNode, Node
from vibeboard.errors import Fault


@dataclass(frozen=True)
class NotYet:
    """A key (``*`` is any name)."""

    path: tuple[str, ...]

    @property
    def said(self) -> str:
        """The fault's words."""
        return f"`{self.path[-1]}` is not supported yet"


NOT_YET = (NotYet(("preview",)),)


def refused(document: Document) -> Iterator[Fault]:
    """A fault for every use of what is not carried out yet."""
    for entry in NOT_YET:
        for location, node in _found(document.root, entry.path):
            if not _is_empty(node):
                yield document.fault(location, entry.said, at_key=True)


def _is_empty(node: Node) -> bool:
    if isinstance(node, ListNode | MapNode):
        return not node.entries
    return node.scalar is None


def _found(
    node: Node, path: tuple[str, ...], above: tuple[Key, ...] = ()
) -> Iterator[tuple[tuple[Key, ...], Node]]:
    if not path:
        yield above, node
        return
    if not isinstance(node, MapNode):
        return
    wanted = node.entries if path[0] == "*" else [path[0]]
    for key in wanted:
        child = node.child(key)
        if child is not None:
            yield from _found(child, path[1:], (*above, key))
