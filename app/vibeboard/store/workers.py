"""Who takes work: each process writes down that it lives, and the dead are noticed.

Times are the database's own on PostgreSQL, because machines' clocks differ.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    Connection,
    column,
    delete,
    func,
    insert,
    select,
    table,
    update,
)

from vibeboard.engine.ports import Clock
from vibeboard.store import schema
from vibeboard.store.database import Database, session_name
from vibeboard.store.due import Due

_WORKER = schema.worker.c


class SqlWorkers:
    """Satisfies ``Workers`` on SQLite and PostgreSQL.

    ``life`` is what claims are signed with: new whenever a process enters, so that one
    that comes back from the dead is not taken for its successor.
    """

    def __init__(
        self,
        database: Database,
        due: Due,
        clock: Clock,
        *,
        name: str,
        place: str,
        lease: timedelta = timedelta(seconds=15),
    ) -> None:
        self.life = ""
        self._database = database
        self._due = due
        self._clock = clock
        self._name = name
        self._place = place
        self._lease = lease

    @property
    def alone(self) -> bool:
        """Whether no other process can take this one's work."""
        return self._database.is_sqlite

    async def enter(self) -> None:
        """Begin a life; what earlier lives of this name had is free again."""
        async with self._due.begin() as connection:
            await connection.run_sync(self._enter)

    def _enter(self, connection: Connection) -> None:
        if self.life:
            # We begin anew, and nobody died over what we had.
            self._leave(connection)
        # A lock says that no other process has this name (or, SQLite, this file).
        gone = select(_WORKER.id)
        if not self._database.is_sqlite:
            gone = gone.where(_WORKER.name == self._name)
        self._bury(connection, list(connection.scalars(gone)))
        self.life = f"{self._name}-{uuid4().hex[:12]}"
        now = self._now(connection)
        connection.execute(
            insert(schema.worker).values(
                id=self.life,
                name=self._name,
                place=self._place,
                started_at=now,
                beat_at=now,
            )
        )

    def beat(self) -> bool:
        """Say that we live, from any thread; False if we were declared dead."""
        with self._database.sync_engine.begin() as connection:
            beaten = connection.execute(
                update(schema.worker)
                .where(_WORKER.id == self.life)
                .values(beat_at=self._now(connection))
            )
        return beaten.rowcount == 1

    async def reap(self) -> int:
        """Free what dead processes had; how many died."""
        async with self._database.engine.connect() as connection:
            if not await connection.run_sync(self._dead):
                return 0
        async with self._due.begin() as connection:
            return await connection.run_sync(self._reap)

    def _reap(self, connection: Connection) -> int:
        dead = self._dead(connection)
        self._hang_up(connection, dead)
        # Whoever deletes a row buries its owner, so that only one does.
        return self._bury(connection, dead)

    def _dead(self, connection: Connection) -> list[str]:
        if self._database.is_sqlite:
            return []
        late = self._now(connection) - self._lease
        # While the database was away nobody could say that they live.
        heard = func.pg_postmaster_start_time() < late
        return list(
            connection.scalars(select(_WORKER.id).where(_WORKER.beat_at < late, heard))
        )

    def _hang_up(self, connection: Connection, lives: list[str]) -> None:
        """End the sessions of processes that do not move: they may hold locks."""
        names = connection.scalars(select(_WORKER.name).where(_WORKER.id.in_(lives)))
        sessions = table("pg_stat_activity", column("pid"), column("application_name"))
        ends = func.pg_terminate_backend(sessions.c.pid)
        for name in names.all():
            connection.execute(
                select(ends).where(
                    sessions.c.application_name == session_name(name),
                    sessions.c.pid != func.pg_backend_pid(),
                )
            )

    async def leave(self) -> None:
        """End this life; what it still had is free."""
        async with self._due.begin() as connection:
            await connection.run_sync(self._leave)

    def _leave(self, connection: Connection) -> None:
        connection.execute(delete(schema.worker).where(_WORKER.id == self.life))
        for queue in (schema.delivery, schema.run):
            connection.execute(
                update(queue).where(queue.c.worker == self.life).values(worker=None)
            )

    def _bury(self, connection: Connection, lives: list[str]) -> int:
        buried = list(
            connection.scalars(
                delete(schema.worker).where(_WORKER.id.in_(lives)).returning(_WORKER.id)
            )
        )
        for queue in (schema.delivery, schema.run):
            connection.execute(
                update(queue)
                .where(queue.c.worker.in_(buried))
                .values(worker=None, crashes=queue.c.crashes + 1)
            )
        return len(buried)

    def _now(self, connection: Connection) -> datetime:
        if self._database.is_sqlite:
            return self._clock.now()
        now: Any = connection.scalar(select(func.clock_timestamp()))
        stamp: datetime = now
        return stamp
