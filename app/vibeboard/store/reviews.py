"""What specialists found in which commit, kept whole and compressed."""

from collections.abc import Sequence

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from vibeboard.domain.review import ReviewResult
from vibeboard.domain.workflow import Review
from vibeboard.engine.ports import Clock
from vibeboard.store import schema
from vibeboard.store.bodies import Packer, unpack
from vibeboard.store.upsert import inserting

_TABLE = schema.review_result
_ROW = _TABLE.c
_RESULT = TypeAdapter(ReviewResult)


class SqlReviews:
    """Satisfies ``Reviews`` on SQLite and PostgreSQL."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

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
        encoding, whole = Packer().pack(_RESULT.dump_json(result))
        values = {
            "definition": review.definition,
            "kept_at": self._clock.now(),
            "encoding": encoding,
            "result": whole,
        }
        key = {"repository": repository, "commit": commit}
        key |= {"review": review.name, "run": run}
        async with self._engine.begin() as connection:
            await connection.execute(
                inserting(connection, _TABLE)
                .values(**key, **values)
                .on_conflict_do_update(index_elements=list(key), set_=values)
            )

    async def of(
        self, repository: str, commit: str, review: Review
    ) -> Sequence[ReviewResult]:
        """All results of the review as it is defined now, oldest first."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                select(_ROW.encoding, _ROW.result)
                .where(
                    _ROW.repository == repository,
                    _ROW.commit == commit,
                    _ROW.review == review.name,
                    _ROW.definition == review.definition,
                )
                .order_by(_ROW.kept_at, _ROW.id)
            )
            found = rows.all()
        return [
            _RESULT.validate_json(unpack(row.encoding, row.result)) for row in found
        ]
