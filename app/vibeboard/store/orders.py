"""What an operator orders, beside a running server: each order is in the audit."""

import json
from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from vibeboard.domain.effects import StopRun
from vibeboard.domain.run import ENDED, RunState
from vibeboard.engine.ports import Clock
from vibeboard.store import audit, questions, runs, schema
from vibeboard.store.deliveries import go_over_again, reopen
from vibeboard.store.due import Due
from vibeboard.store.indexed import GIVEN_UP, OPEN, has_failed, is_dead
from vibeboard.store.outbox import keep_own

_DELIVERY = schema.delivery.c
_EFFECT = schema.effect.c
_RUN = schema.run.c


class SqlOrders:
    """Retries what was given up, and stops runs."""

    def __init__(self, due: Due, clock: Clock, *, by: str) -> None:
        self._due = due
        self._clock = clock
        self._by = by

    async def retry(self, ids: Sequence[int] | None = None) -> Sequence[int]:
        """Make dead deliveries due again, with their failed effects; which ones.

        Without ``ids`` all of them. What was done is not done again. Who performs one
        of them now goes over it once more, and nobody else beside.
        """
        dead = union(
            select(_DELIVERY.id).where(is_dead(*GIVEN_UP)),
            select(_EFFECT.delivery).where(has_failed()),
        )
        now = self._clock.now()
        async with self._due.begin() as connection:
            # Locked, so that nobody takes or finishes one of them in between.
            query = (
                select(_DELIVERY.id, _DELIVERY.guid, _DELIVERY.state, _DELIVERY.worker)
                .where(_DELIVERY.id.in_(dead))
                .order_by(_DELIVERY.id)
                .with_for_update()
            )
            if ids is not None:
                query = query.where(_DELIVERY.id.in_(ids))
            chosen = (await connection.execute(query)).all()
            for row in chosen:
                await connection.execute(
                    update(schema.effect)
                    .where(_EFFECT.delivery == row.id, has_failed())
                    .values(state="pending", error="", performed_at=None)
                )
                if row.state not in OPEN:
                    await reopen(connection, _DELIVERY.id == row.id)
                elif row.worker is not None:
                    await go_over_again(connection, row.id, now)
                await self._note(connection, "retried", f"delivery {row.id}", row.guid)
        return [row.id for row in chosen]

    async def stop(self, run: str, *, why: str) -> RunState:
        """Ask a run to stop; its state when asked.

        Raises KeyError for an unknown run. One that has ended stays as it is.
        """
        async with self._due.begin() as connection:
            state = await connection.scalar(select(_RUN.state).where(_RUN.id == run))
            if state is None:
                raise KeyError(run)
            before = RunState(state)
            if before not in ENDED:
                await runs.stop(connection, StopRun(run, why), self._clock.now())
                await self._note(connection, "run stopped", run, detail=why)
        return before

    async def answer(
        self, question: str, *, allowed: bool, note: str, for_run: bool
    ) -> bool:
        """Answer an agent's question; False if somebody has before.

        Raises KeyError for an unknown one. The server writes the answer down.
        """
        now = self._clock.now()
        async with self._due.begin() as connection:
            found = await questions.find(connection, question)
            if found is None:
                raise KeyError(question)
            if found.answer is not None:
                return False
            said = {
                "card": str(found.card),
                "question": found.id,
                "allowed": allowed,
                "note": note,
                "for_run": for_run,
            }
            await keep_own(
                connection,
                event="question_answered",
                guid=f"terminal-{uuid4()}",
                card=found.card,
                body=json.dumps(said),
                now=now,
            )
            word = "allowed" if allowed else "refused"
            await self._note(connection, "question answered", found.run, detail=word)
        return True

    async def _note(
        self,
        connection: AsyncConnection,
        action: str,
        subject: str,
        delivery: str = "",
        detail: str = "",
    ) -> None:
        await audit.note(
            connection,
            at=self._clock.now(),
            actor=self._by,
            action=action,
            subject=subject,
            delivery=delivery,
            detail=detail,
        )
