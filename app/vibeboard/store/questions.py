"""What agents ask people. Decisions write the answers down (``deliveries.py``)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vibeboard.domain.board import CardKey
from vibeboard.domain.effects import AnswerQuestion
from vibeboard.domain.question import Answer, Question, is_id
from vibeboard.domain.run import Run
from vibeboard.domain.tools import ToolCall, Verdict
from vibeboard.engine.ports import Clock
from vibeboard.store import codec, runs, schema
from vibeboard.store.due import Due
from vibeboard.store.outbox import keep_own

_ROW = schema.question.c
_RUN = schema.run.c


class SqlQuestions:
    """Satisfies ``Questions`` on SQLite and PostgreSQL."""

    def __init__(self, engine: AsyncEngine, due: Due, clock: Clock) -> None:
        self._engine = engine
        self._due = due
        self._clock = clock

    async def of(self, run: str) -> Sequence[Question]:
        """All questions of a run, oldest first."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                select(schema.question).where(_ROW.run == run).order_by(_ROW.id)
            )
            return [_read(row) for row in rows]

    async def ask(self, run: Run, call: ToolCall, rule: str) -> Question:
        """Put the call to people, once as long as it is open.

        Raises Fenced if another attempt has the run.
        """
        now = self._clock.now()
        async with self._due.begin() as connection:
            await runs.hold(connection, run)
            same = and_(
                _ROW.run == run.id, _ROW.call_key == call.key, _ROW.verdict.is_(None)
            )
            query = select(schema.question).where(same)
            row = (await connection.execute(query)).first()
            if row is not None:
                return _read(row)
            made = await connection.execute(
                insert(schema.question)
                .values(
                    run=run.id,
                    repository=run.card.repository,
                    number=run.card.number,
                    call_key=call.key,
                    call=codec.dump_call(call),
                    rule=rule,
                    asked_at=now,
                )
                .returning(schema.question)
            )
            question = _read(made.one())
            await keep_own(
                connection,
                event="question_asked",
                guid=f"{run.id}-{question.id}",
                card=run.card,
                body=f"{question.id} {run.card}",
                now=now,
            )
        return question

    async def heard(self, question: Question) -> None:
        """The agent was told the answer."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(schema.question)
                .where(_ROW.id == _number(question.id), _ROW.run == question.run)
                .values(used=True)
            )


async def find(connection: AsyncConnection, question: str) -> Question | None:
    """The question of this id."""
    if not is_id(question):
        return None
    query = select(schema.question).where(_ROW.id == _number(question))
    row = (await connection.execute(query)).first()
    return None if row is None else _read(row)


async def answer(
    connection: AsyncConnection, effect: AnswerQuestion, now: datetime
) -> None:
    """Write somebody's answer down; the first one counts.

    A run whose last open question it was goes on.
    """
    await connection.execute(
        select(_RUN.id).where(_RUN.id == effect.run).with_for_update()
    )
    await connection.execute(
        update(schema.question)
        .where(_ROW.id == _number(effect.question), _ROW.verdict.is_(None))
        .values(
            verdict=effect.verdict.value,
            answered_by=effect.by,
            note=effect.note,
            for_run=effect.for_run,
            answered_at=now,
        )
    )
    await connection.execute(
        update(schema.run)
        .where(_RUN.id == effect.run, ~has_open())
        .values(asked_at=None, waits_for="")
    )


def has_open() -> Any:
    """Whether a run has a question that nobody has answered."""
    return exists().where(_ROW.run == _RUN.id, _ROW.verdict.is_(None))


def _number(question: str) -> int:
    return int(question[1:])


def _read(row: Row[Any]) -> Question:
    said = None
    if row.verdict is not None:
        said = Answer(Verdict(row.verdict), row.answered_by, row.note, row.for_run)
    return Question(
        id=f"q{row.id}",
        run=row.run,
        card=CardKey(row.repository, row.number),
        call=codec.load_call(row.call),
        rule=row.rule,
        asked_at=row.asked_at,
        answer=said,
        used=row.used,
    )
