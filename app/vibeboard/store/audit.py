"""Who did what, kept for those who must answer for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vibeboard.domain.effects import (
    AnswerQuestion,
    Effect,
    MoveCard,
    Reply,
    StartRun,
    StopRun,
)
from vibeboard.engine.ports import Decision
from vibeboard.store import schema

_AUDIT = schema.audit.c
_US = "vibeboard"


@dataclass(frozen=True)
class Entry:
    """One line of the audit."""

    at: datetime
    actor: str
    action: str
    subject: str
    detail: str
    delivery: str


async def note(
    connection: AsyncConnection,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    detail: str = "",
    delivery: str = "",
) -> None:
    """Add a line, within the transaction that does it; without an actor it was us."""
    await connection.execute(
        insert(schema.audit).values(
            at=at,
            actor=actor[:100] or _US,
            action=action,
            subject=subject[:300],
            detail=detail,
            delivery=delivery,
        )
    )


async def decided(
    connection: AsyncConnection, delivery: str, decision: Decision, at: datetime
) -> None:
    """Add what a decision does to runs and cards, and what it tells people."""
    for effect in decision.effects:
        line = _line(effect)
        if line is None:
            continue
        action, subject, detail = line
        asked_by = effect.asked_by if isinstance(effect, StartRun) else ""
        await note(
            connection,
            at=at,
            actor=asked_by or decision.actor,
            action=action,
            subject=subject,
            detail=detail,
            delivery=delivery,
        )


def _line(effect: Effect) -> tuple[str, str, str] | None:
    match effect:
        case StartRun(card=card, stage=stage):
            return "run asked for", str(card), stage
        case AnswerQuestion(run=run, question=question, verdict=verdict, note=said):
            how = " until the run ends" if effect.for_run else ""
            detail = f"{question} {verdict.value}{how}: {said}".rstrip(": ")
            return "question answered", run, detail
        case StopRun(run=run, why=why):
            return "run stopped", run, why
        case MoveCard(card=card, place=place, column=column):
            return "card moved", str(card), f"{place.column or 'nowhere'} → {column}"
        case Reply(card=card, topic=topic):
            return "said", str(card), topic
        case _:
            return None


class SqlAudit:
    """Reads the audit."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def of(self, subject: str = "", *, most: int = 100) -> Sequence[Entry]:
        """The newest lines, of one subject or of all; newest first."""
        query = select(schema.audit).order_by(_AUDIT.id.desc()).limit(most)
        if subject:
            query = query.where(_AUDIT.subject == subject)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [
            Entry(r.at, r.actor, r.action, r.subject, r.detail, r.delivery)
            for r in rows
        ]
