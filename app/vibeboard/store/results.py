"""What runs found out about commits, kept whole and compressed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncEngine

from vibeboard.domain.evidence import Outcome, SuiteResult
from vibeboard.domain.review import ReviewResult
from vibeboard.domain.workflow import Review, Suite
from vibeboard.engine.ports import Clock
from vibeboard.store import schema
from vibeboard.store.bodies import Packer, unpack
from vibeboard.store.upsert import inserting

R = TypeVar("R")


class _Results(Generic[R]):
    """Results of one kind in their table, which has the kind's name in ``column``."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        *,
        table: Table,
        column: str,
        codec: TypeAdapter[R],
        counted: Callable[[R], Mapping[str, Any]] = lambda _: {},
    ) -> None:
        """``counted`` gives the columns that are read without unpacking."""
        self._engine = engine
        self._clock = clock
        self._table = table
        self._column = column
        self._codec = codec
        self._counted = counted

    async def keep(
        self, repository: str, commit: str, what: Suite | Review, result: R, *, run: str
    ) -> None:
        """Keep what a run found out; what it finds out again takes its place."""
        encoding, whole = Packer().pack(self._codec.dump_json(result))
        values = {
            "definition": what.definition,
            **self._counted(result),
            "kept_at": self._clock.now(),
            "encoding": encoding,
            "result": whole,
        }
        key = {"repository": repository, "commit": commit}
        key |= {self._column: what.name, "run": run}
        async with self._engine.begin() as connection:
            await connection.execute(
                inserting(connection, self._table)
                .values(**key, **values)
                .on_conflict_do_update(index_elements=list(key), set_=values)
            )

    async def of(
        self, repository: str, commit: str, what: Suite | Review
    ) -> Sequence[R]:
        """All results on a commit of what is so defined now, oldest first."""
        row = self._table.c
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                select(row.encoding, row.result)
                .where(
                    row.repository == repository,
                    row.commit == commit,
                    row[self._column] == what.name,
                    row.definition == what.definition,
                )
                .order_by(row.kept_at, row.id)
            )
            found = rows.all()
        return [
            self._codec.validate_json(unpack(each.encoding, each.result))
            for each in found
        ]


class SqlEvidence:
    """Satisfies ``Evidence`` on SQLite and PostgreSQL."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._results = _Results(
            engine,
            clock,
            table=schema.suite_result,
            column="suite",
            codec=TypeAdapter(SuiteResult),
            counted=_counts,
        )

    async def keep(
        self,
        repository: str,
        commit: str,
        suite: Suite,
        result: SuiteResult,
        *,
        run: str,
    ) -> None:
        """Keep what a run found out; what it finds out again takes its place."""
        await self._results.keep(repository, commit, suite, result, run=run)

    async def of(
        self, repository: str, commit: str, suite: Suite
    ) -> Sequence[SuiteResult]:
        """All results of the suite, as it is defined now, on a commit; oldest first."""
        return await self._results.of(repository, commit, suite)


class SqlReviews:
    """Satisfies ``Reviews`` on SQLite and PostgreSQL."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._results = _Results(
            engine,
            clock,
            table=schema.review_result,
            column="review",
            codec=TypeAdapter(ReviewResult),
        )

    async def keep(
        self,
        repository: str,
        commit: str,
        review: Review,
        result: ReviewResult,
        *,
        run: str,
    ) -> None:
        """Keep what a run found out; what it finds out again takes its place."""
        await self._results.keep(repository, commit, review, result, run=run)

    async def of(
        self, repository: str, commit: str, review: Review
    ) -> Sequence[ReviewResult]:
        """All results of the review as it is defined now, oldest first."""
        return await self._results.of(repository, commit, review)


def _counts(result: SuiteResult) -> Mapping[str, Any]:
    return {
        "verdict": result.verdict.value,
        "passed": result.count(Outcome.PASSED),
        "failed": result.failed,
        "skipped": result.count(Outcome.SKIPPED),
        "seconds": result.seconds,
    }
