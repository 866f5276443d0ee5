"""A database with a past: finished runs, and the same work to do whatever their number.

Twenty repositories, twenty runs a card: with the past grows the number of cards, not
the history of one.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Connection, Table, insert, text

from vibeboard.domain.board import CardKey
from vibeboard.domain.run import Report, RunState
from vibeboard.store import codec, schema
from vibeboard.store.database import Database

REPOSITORIES = 20
RUNS_A_CARD = 20
PAUSED = "paused/code"
_WAITING = 30  # runs in a paused repository
_DEAD = 5  # deliveries, and as many effects
_BATCH = 5_000
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_REPORT = codec.dump_report(
    Report(RunState.SUCCEEDED, summary="Did what was asked.", commit="c" * 40)
)

Row = dict[str, Any]


def card_of(number: int) -> CardKey:
    """The card of one of the runs."""
    repository, rest = number % REPOSITORIES, number // REPOSITORIES
    return CardKey(f"acme/code{repository}", rest // RUNS_A_CARD + 1)


def fill(database: Database, runs: int) -> None:
    """Put as many finished runs and the usual work into an empty database."""
    with database.sync_engine.begin() as connection:
        for table, row in (
            (schema.delivery, _delivery),
            (schema.effect, _effect),
            (schema.run, _run),
            (schema.audit, _line),
        ):
            _put(connection, table, runs, row)
        cards = sorted({card_of(number) for number in range(runs)})
        _put(connection, schema.card, len(cards), lambda at: _seen(cards[at]))
        _present(connection, runs)
        if not database.is_sqlite:
            # Numbers were given, so the sequence knows nothing of them.
            for name in ("delivery", "audit"):
                found = f"(SELECT max(id) FROM {name})"  # noqa: S608 - our own names
                connection.execute(text(f"SELECT setval('{name}_id_seq', {found})"))
    if not database.is_sqlite:
        # As autovacuum does within a minute.
        engine = database.sync_engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _present(connection: Connection, past: int) -> None:
    """What is not over: given up, waiting, and paused."""
    numbers = range(past, past + _DEAD)
    dead = {"state": "failed", "reason": "GitHub answered 422"}
    _put(connection, schema.delivery, _DEAD, lambda at: _delivery(numbers[at]) | dead)
    failed = {"state": "failed", "error": "GitHub answered 422"}
    _put(connection, schema.effect, _DEAD, lambda at: _effect(numbers[at]) | failed)
    _put(connection, schema.run, _WAITING, lambda at: _waiting(past + at))
    pause = {"scope": PAUSED, "why": "a release", "paused_by": "alice"}
    connection.execute(insert(schema.pause).values(**pause, paused_at=_at(past)))


def _put(
    connection: Connection, table: Table, count: int, row: Callable[[int], Row]
) -> None:
    for start in range(0, count, _BATCH):
        numbers = range(start, min(count, start + _BATCH))
        connection.execute(insert(table), [row(number) for number in numbers])


def _at(number: int) -> datetime:
    return _BEGIN + timedelta(seconds=number)


def _delivery(number: int) -> Row:
    return {
        "id": number + 1,
        "hook": "292430182",
        "guid": f"{number:08x}-cc78-11e3-81ab-4c9367dc0958",
        "event": "projects_v2_item",
        "headers": {"X-GitHub-Event": "projects_v2_item"},
        # As long as such a body is when it is packed.
        "body": Random(number).randbytes(1_000),  # noqa: S311 - the same every time
        "encoding": 1,
        "received_at": _at(number),
        "state": "settled",
        "reason": "CardTouched: StartRun",
        "account": "acme",
        "ordering_key": str(card_of(number)),
        "settled_at": _at(number),
    }


def _effect(number: int) -> Row:
    return {
        "key": f"start:{card_of(number)}:develop:{number}",
        "delivery": number + 1,
        "position": 0,
        "kind": "StartRun",
        "payload": {"card": str(card_of(number))},
        "state": "done",
        "error": "",
        "performed_at": _at(number),
    }


def _run(number: int) -> Row:
    card = card_of(number)
    return {
        "id": f"r{number:011x}",
        "repository": card.repository,
        "number": card.number,
        "stage": "develop",
        "cause": f"cause {number}",
        "asked_by": "alice",
        "state": "succeeded",
        "instructions": "",
        "remarks": [],
        "config_commit": "c" * 40,
        "parallel": 3,
        "attempt": 1,
        "chain": 0,
        "created_at": _at(number),
        "changed_at": _at(number),
        "dispatched_at": _at(number),
        "started_at": _at(number),
        "report": _REPORT,
        "place": "here",
    }


def _waiting(number: int) -> Row:
    return _run(number) | {
        "state": "queued",
        "dispatched_at": None,
        "started_at": None,
        "repository": PAUSED,
        "number": number + 1,
        "report": None,
    }


def _line(number: int) -> Row:
    return {
        "at": _at(number),
        "actor": "alice",
        "action": "run asked for",
        "subject": str(card_of(number)),
        "detail": "develop",
        "delivery": f"delivery {number}",
    }


def _seen(card: CardKey) -> Row:
    return {
        "repository": card.repository,
        "number": card.number,
        "board_column": "Done",
        "seen_at": _BEGIN,
    }
