"""Deliveries as a queue: sorted, claimed, and given back.

The head of each ordering key is open to be claimed, so that what is about one thing
is taken in the order it came. Claims rank by account: whoever has much waiting does
not hold up who has little.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.dml import ReturningUpdate

from vibeboard.engine import ports
from vibeboard.engine.ports import Clock, Delivery, DeliveryState, Sorted
from vibeboard.store import schema
from vibeboard.store.database import lock_number
from vibeboard.store.deliveries import read
from vibeboard.store.due import Due
from vibeboard.store.indexed import is_open, is_unsorted
from vibeboard.store.workers import SqlWorkers

log = logging.getLogger(__name__)

_BATCH = 64
# Of one account at once, so that its bulk leaves places to others.
_AN_ACCOUNT = 8
_TABLE = schema.delivery
_DELIVERY = _TABLE.c
_EARLIER = _TABLE.alias("earlier")


def _heads() -> CTE:
    """Due deliveries that no earlier one of theirs has to come before."""
    open_now = and_(
        is_open(_TABLE),
        ~exists().where(
            is_open(_EARLIER),
            _EARLIER.c.ordering_key == _DELIVERY.ordering_key,
            _EARLIER.c.id < _DELIVERY.id,
        ),
    )
    return (
        select(
            _DELIVERY.id,
            _DELIVERY.state,
            _DELIVERY.worker,
            (_DELIVERY.crashes > 0).label("suspect"),
            func.row_number()
            .over(
                partition_by=(_DELIVERY.account, _DELIVERY.state),
                order_by=_DELIVERY.id,
            )
            .label("rank"),
        )
        .where(
            open_now,
            or_(
                _DELIVERY.worker.is_not(None),
                _DELIVERY.due_at.is_(None),
                _DELIVERY.due_at <= bindparam("now"),
            ),
        )
        .cte("heads")
    )


@cache
def _claiming(
    states: tuple[DeliveryState, ...],
) -> tuple[Select[tuple[int]], ReturningUpdate[tuple[int]]]:
    """What finds one due delivery, and what takes some.

    Made once: making them takes longer than the database takes to answer, and each
    wake asks. ``now``, ``life`` and ``most`` are given each time.
    """
    heads = _heads()
    mine = heads.c.state.in_([state.value for state in states])
    # What a process died over is done one at a time: if the next one dies, too,
    # then not over a crowd that only happened to be there.
    suspects = select(heads.c.id, heads.c.worker).where(heads.c.suspect, mine)
    free = suspects.where(heads.c.worker.is_(None)).order_by(heads.c.id).limit(1)
    taken = suspects.where(heads.c.worker.is_not(None))
    one = and_(heads.c.id.in_(free.with_only_columns(heads.c.id)), ~taken.exists())
    chosen = (
        select(heads.c.id)
        .where(
            heads.c.worker.is_(None),
            heads.c.rank <= _AN_ACCOUNT,
            mine,
            or_(~heads.c.suspect, one),
        )
        .order_by(heads.c.rank, heads.c.id)
        .limit(bindparam("most", type_=Integer))
    )
    take = (
        update(_TABLE)
        .where(_DELIVERY.id.in_(chosen), _DELIVERY.worker.is_(None))
        .values(worker=bindparam("life"), due_at=None)
        .returning(_DELIVERY.id)
    )
    return chosen.limit(1), take


_UNSORTED = select(_TABLE).where(is_unsorted()).order_by(_DELIVERY.id).limit(_BATCH)
_ANY_UNSORTED = _UNSORTED.with_only_columns(_DELIVERY.id).limit(1)


class SqlDeliveryQueue:
    """Satisfies ``DeliveryQueue`` for one worker, on SQLite and PostgreSQL."""

    def __init__(
        self, engine: AsyncEngine, due: Due, clock: Clock, workers: SqlWorkers
    ) -> None:
        self._engine = engine
        self._due = due
        self._clock = clock
        self._workers = workers

    async def sort(self, sorter: Callable[[Delivery], Sorted]) -> int:
        """Read a batch of new deliveries for the first time; how many they were."""
        async with self._engine.connect() as connection:
            if await connection.scalar(_ANY_UNSORTED) is None:
                return 0
        async with self._due.begin(here=False) as connection:
            if not await _sorts_alone(connection):
                return 0  # whoever sorts rings when it is done
            rows = (await connection.execute(_UNSORTED)).all()
            for row in rows:
                found = _first_reading(row, sorter)
                values: dict[str, Any] = {
                    "account": found.account,
                    "ordering_key": found.key,
                }
                if found.state is not DeliveryState.RECEIVED:
                    values |= {
                        "state": found.state.value,
                        "reason": found.reason,
                        "settled_at": self._clock.now(),
                    }
                await connection.execute(
                    update(_TABLE).where(_DELIVERY.id == row.id).values(**values)
                )
        return len(rows)

    async def claim(
        self, most: int, *, states: Sequence[DeliveryState] = ports.OPEN
    ) -> Sequence[int]:
        """Take due deliveries: the head of each key, fairly among accounts."""
        look, take = _claiming(tuple(states))
        given: dict[str, Any] = {"now": self._clock.now()}
        async with self._engine.connect() as connection:
            # A look costs no write; most looks find nothing.
            if (await connection.execute(look, given)).first() is None:
                return []
        given |= {"life": self._workers.life, "most": most}
        async with self._engine.begin() as connection:
            return sorted(await connection.scalars(take, given))

    async def strays(
        self,
        known: Collection[int],
        *,
        states: Sequence[DeliveryState] = ports.OPEN,
    ) -> int:
        """Give back what is ours by its row, and not among those ``known``."""
        ours = and_(_DELIVERY.worker == self._workers.life, _in(states))
        async with self._engine.connect() as connection:
            taken = await connection.scalars(select(_DELIVERY.id).where(ours))
            astray = set(taken).difference(known)
        if astray:
            async with self._due.begin() as connection:
                await connection.execute(
                    update(_TABLE)
                    .where(ours, _DELIVERY.id.in_(astray))
                    .values(worker=None)
                )
        return len(astray)

    async def finish(self, delivery: int) -> None:
        """All of it is done, unless somebody asked for it again meanwhile."""
        asked_again = _DELIVERY.due_at.is_not(None)  # taking it cleared that
        async with self._due.begin() as connection:
            await connection.execute(
                update(_TABLE)
                .where(self._mine(delivery, ports.OPEN))
                .values(
                    state=case(
                        (asked_again, _DELIVERY.state),
                        else_=DeliveryState.SETTLED.value,
                    ),
                    settled_at=case((asked_again, None), else_=self._clock.now()),
                    due_at=None,
                    worker=None,
                )
            )

    async def postpone(
        self,
        delivery: int,
        after: timedelta,
        why: str,
        *,
        states: Sequence[DeliveryState] = ports.OPEN,
    ) -> None:
        """Give it back, to be taken again ``after`` a while; counts a try."""
        await self._give_back(
            delivery,
            states,
            due_at=self._clock.now() + after,
            tries=_DELIVERY.tries + 1,
            reason=why,
        )

    async def release(
        self, delivery: int, *, states: Sequence[DeliveryState] = ports.OPEN
    ) -> None:
        """Give it back as if it had not been taken."""
        await self._give_back(delivery, states)

    async def give_up(
        self,
        delivery: int,
        reason: str,
        state: DeliveryState = DeliveryState.FAILED,
        *,
        states: Sequence[DeliveryState] = ports.OPEN,
    ) -> None:
        """Nothing more is done about it, unless a person asks."""
        await self._give_back(
            delivery,
            states,
            state=state.value,
            reason=reason,
            settled_at=self._clock.now(),
        )

    async def next_due(self) -> datetime | None:
        """When the first of those that wait for their time is due."""
        async with self._engine.connect() as connection:
            found: datetime | None = await connection.scalar(
                select(_DELIVERY.due_at)
                .where(
                    is_open(_TABLE),
                    _DELIVERY.worker.is_(None),
                    _DELIVERY.due_at > self._clock.now(),
                )
                .order_by(_DELIVERY.due_at)
                .limit(1)
            )
        return found

    def _mine(self, delivery: int, states: Sequence[DeliveryState]) -> Any:
        return and_(
            _DELIVERY.id == delivery,
            _DELIVERY.worker == self._workers.life,
            _in(states),
        )

    async def _give_back(
        self, delivery: int, states: Sequence[DeliveryState], **values: Any
    ) -> None:
        async with self._due.begin() as connection:
            await connection.execute(
                update(_TABLE)
                .where(self._mine(delivery, states))
                .values(worker=None, **values)
            )


def _in(states: Sequence[DeliveryState]) -> ColumnElement[bool]:
    return _DELIVERY.state.in_([state.value for state in states])


async def _sorts_alone(connection: AsyncConnection) -> bool:
    """Whether this transaction may sort: two of them would let a later one overtake."""
    if connection.dialect.name != "postgresql":
        return True
    number = lock_number("sorting")
    return bool(await connection.scalar(select(func.pg_try_advisory_xact_lock(number))))


def _first_reading(row: Row[Any], sorter: Callable[[Delivery], Sorted]) -> Sorted:
    """What the sorter finds; a row that nobody can read must not hold up the rest."""
    try:
        return sorter(read(row))
    except Exception as error:
        log.exception("delivery unreadable", extra={"delivery": row.guid})
        reason = f"{type(error).__name__}: {error}"
        return Sorted(state=DeliveryState.UNREADABLE, reason=reason)
