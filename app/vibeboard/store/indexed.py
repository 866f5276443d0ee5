"""Conditions as the partial indexes have them: what is left to do, however much was.

Values are written into the statement. For a parameter SQLite uses no partial index,
and PostgreSQL none in a statement that it has planned for any value.
"""

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, FromClause, and_, bindparam

from vibeboard.domain.run import RunState
from vibeboard.engine import ports
from vibeboard.engine.ports import DeliveryState
from vibeboard.store import schema

OPEN = tuple(state.value for state in ports.OPEN)
UNENDED = (
    RunState.QUEUED.value,
    RunState.RUNNING.value,
    RunState.STOPPING.value,
)
PARKED = DeliveryState.PARKED.value
GIVEN_UP = (DeliveryState.FAILED.value, DeliveryState.UNREADABLE.value)


def is_unsorted() -> ColumnElement[bool]:
    """Whether a delivery was not read for the first time yet."""
    of = schema.delivery.c
    received = DeliveryState.RECEIVED.value
    return and_(of.ordering_key.is_(None), _one_of(of.state, received))


def is_open(of: FromClause = schema.delivery) -> ColumnElement[bool]:
    """Whether a delivery was sorted, and is not settled."""
    return and_(of.c.ordering_key.is_not(None), _one_of(of.c.state, *OPEN))


def is_dead(*states: str) -> ColumnElement[bool]:
    """Whether a delivery is parked or given up, and in one of ``states``."""
    of = schema.delivery.c.state
    # What the index says, to the letter, and of that what is wanted.
    return and_(_one_of(of, "unreadable", "failed", "parked"), _one_of(of, *states))


def is_unended(of: FromClause = schema.run) -> ColumnElement[bool]:
    """Whether a run has not ended."""
    return _one_of(of.c.state, *UNENDED)


def is_queued() -> ColumnElement[bool]:
    """Whether a run has not begun."""
    return and_(is_unended(), _one_of(schema.run.c.state, RunState.QUEUED.value))


def has_failed() -> ColumnElement[bool]:
    """Whether an effect was given up."""
    return _one_of(schema.effect.c.state, "failed")


def _one_of(column: ColumnElement[Any], *values: str) -> ColumnElement[bool]:
    if len(values) == 1:
        only: BindParameter[str] = bindparam(None, values[0], literal_execute=True)
        return column == only
    several: BindParameter[str] = bindparam(
        None, values, expanding=True, literal_execute=True
    )
    return column.in_(several)
