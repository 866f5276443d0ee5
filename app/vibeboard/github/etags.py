"""Answers that GitHub need not send again while they hold.

Every use is confirmed by GitHub (304, which costs nothing of the limit), so nothing
stale is ever read. Bounded by number and size, the longest unused goes first.
Source: docs.github.com, "Best practices for using the REST API", conditional
requests.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

MOST_ANSWERS = 2_000
MOST_BYTES = 32 * 1024 * 1024

Place = tuple[object, str]


@dataclass(frozen=True)
class Kept:
    """An answer with status 200, and the name of its state."""

    etag: str
    headers: Mapping[str, str]
    body: bytes


class Etags:
    """Kept answers by place: whose credential, and which address."""

    def __init__(self, answers: int = MOST_ANSWERS, size: int = MOST_BYTES) -> None:
        self._most_answers = answers
        self._most_bytes = size
        self._kept: OrderedDict[Place, Kept] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, place: Place) -> Kept | None:
        """What was answered last, if it is still kept."""
        kept = self._kept.get(place)
        if kept is not None:
            self._kept.move_to_end(place)
        return kept

    def put(self, place: Place, headers: Mapping[str, str], body: bytes) -> None:
        """Keep an answer in place of the last one."""
        self.drop(place)
        etag = headers.get("etag")
        if not etag or len(body) > self._most_bytes // 8:
            return
        self._kept[place] = Kept(etag, headers, body)
        self._bytes += len(body)
        while len(self._kept) > self._most_answers or self._bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.body)

    def drop(self, place: Place) -> None:
        """Forget an answer."""
        kept = self._kept.pop(place, None)
        if kept is not None:
            self._bytes -= len(kept.body)
