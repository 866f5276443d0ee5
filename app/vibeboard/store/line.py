"""The line in which deliveries wait for the disk, and go in group by group."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring_ascii as quoted

from vibeboard.engine.ports import Clock, Kept, Outcome, Told
from vibeboard.errors import RetryLater
from vibeboard.store.bodies import Packed, Packer, unpack

log = logging.getLogger(__name__)

MOST_WAITING = 256 * 1024 * 1024  # bytes of bodies; beyond it deliveries are refused
_MOST_ROWS = 128
_MOST_BYTES = 16 * 1024 * 1024  # of one group; a larger delivery goes alone
_AFTER = timedelta(seconds=10)
_TICK = timedelta(microseconds=1)


@dataclass(slots=True, eq=False)
class Waiting:
    """A delivery on its way in, and who waits for what becomes of it."""

    hook: str
    guid: str
    event: str
    headers: str  # JSON
    body: bytes = field(repr=False)
    packed: Packed | None = field(repr=False)  # None: whoever writes has to do it
    received_at: datetime  # UTC without its zone; no two of a process are the same
    told: Told

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same delivery."""
        return self.hook, self.guid


class Line:
    """The deliveries that wait for the disk, and the counting of their bytes.

    ``put`` and ``tell`` belong to the event loop, ``take`` to whoever writes. Bodies of
    up to ``pack_at_once`` bytes are compressed as they come.
    """

    def __init__(
        self, clock: Clock, on_kept: Callable[[], None], pack_at_once: int = 0
    ) -> None:
        self._clock = clock
        self._on_kept = on_kept
        self._packer = Packer()
        self._pack_at_once = pack_at_once
        self._bytes = 0
        self._last = datetime.min  # noqa: DTZ901 - as the column holds it
        self.queue: deque[Waiting] = deque()
        self.groups = 0
        self._taken = 0  # deliveries in the last group
        self.closed = False

    def put(
        self,
        hook: str,
        guid: str,
        event: str,
        headers: Mapping[str, str],
        body: bytes,
        told: Told,
    ) -> None:
        """Stand at the end; raises RetryLater if the line is full or closed."""
        if self.closed or self._bytes + len(body) > MOST_WAITING:
            raise RetryLater("too many deliveries wait for the disk", after=_AFTER)
        self._bytes += len(body)
        now = self._clock.now().astimezone(UTC).replace(tzinfo=None)
        self._last = now if now > self._last else self._last + _TICK
        self.queue.append(
            Waiting(
                hook,
                guid,
                event,
                _json_of(headers),
                body,
                self._packer.pack(body) if len(body) <= self._pack_at_once else None,
                self._last,
                told,
            )
        )

    def take(self) -> list[Waiting]:
        """Take from the head what goes into one transaction.

        No more than half of those who wait and those who were just told: senders who
        wait for each answer would else fall in step, all of them waiting for the disk,
        and then the disk for all of them (measured: groups of 1 and of 15 in turns, and
        a fifth fewer deliveries).
        """
        queue, size = self.queue, 0
        group: list[Waiting] = []
        most = min(_MOST_ROWS, (len(queue) + self._taken + 1) // 2)
        while queue and len(group) < most:
            size += len(queue[0].body)
            if group and size > _MOST_BYTES:
                break
            group.append(queue.popleft())
        self._taken = len(group)
        return group

    def tell(self, group: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
        """Let those who wait go on, and wake who handles deliveries, once."""
        self._bytes -= sum(len(waiting.body) for waiting in group)
        self.groups += 1
        for waiting, outcome in zip(group, outcomes, strict=True):
            try:
                waiting.told(outcome)
            except Exception:  # one of them must not keep it from the others
                log.exception("a delivery's sender was not told")
        if Kept.NEW in outcomes:
            self._on_kept()


def _json_of(headers: Mapping[str, str]) -> str:
    # A third of what json.dumps takes, which makes an encoder each time.
    pairs = [f"{quoted(name)}:{quoted(value)}" for name, value in headers.items()]
    return f"{{{','.join(pairs)}}}"


def compared(waiting: Waiting, there: Packed, received_at: datetime) -> Kept:
    """What a delivery is whose key is in the database, with this body since then."""
    if unpack(*there) != waiting.body:
        return Kept.CONFLICT
    ours = received_at == waiting.received_at
    return Kept.NEW if ours else Kept.DUPLICATE


def firsts(group: Iterable[Waiting]) -> list[Waiting]:
    """The group without second copies: no statement may meet a key twice."""
    seen: dict[tuple[str, str], Waiting] = {}
    for waiting in group:
        seen.setdefault(waiting.key, waiting)
    return list(seen.values())
