"""The durable engine, DBOS Transact: the only module that knows it.

Two kinds of workflow live here. ``advance`` takes one delivery from decision to
performed effects, those of one account one after the other. ``carry_out`` takes
one run through its steps. Every step's answer is written down, so that after a
crash a workflow goes on behind the last finished step.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Protocol

from dbos import DBOS, DBOSClient, DBOSConfig
from dbos._serialization import DBOSPortableJSONSerializer

from vibeboard.errors import RetryLater

log = logging.getLogger(__name__)

_NAME = "vibeboard"
_QUEUES = {"advance": "deliveries", "carry_out": "runs"}
# Workflows of every release are one version: steps only ever change by name, and
# nothing waits for people inside a workflow, so a deploy finds none half-way.
_VERSION = "1"
_POLL = timedelta(milliseconds=100)
_TRIES = 12
_LONGEST_WAIT = timedelta(hours=1)  # GitHub's rate limits begin anew by then
# More than this many recoveries of one workflow and it is given up as a poison.
_RECOVERIES = 50

Json = Any


class Steps(Protocol):
    """Runs a function as a durable step of the current workflow."""

    async def __call__(
        self, name: str, function: Callable[[], Awaitable[Json]]
    ) -> Json:
        """The function's answer; a repeated workflow gets the one remembered."""
        ...


async def durable_step(name: str, function: Callable[[], Awaitable[Json]]) -> Json:
    """Run ``function`` once and remember its answer; RetryLater is tried again."""

    async def step() -> Json:
        try:
            return await function()
        except RetryLater as error:
            log.warning("tried again later", extra={"step": name, "why": str(error)})
            await asyncio.sleep(min(error.after, _LONGEST_WAIT).total_seconds())
            raise

    return await DBOS.run_step_async(
        {
            "name": name,
            "retries_allowed": True,
            "max_attempts": _TRIES,
            "interval_seconds": 1.0,
            "backoff_rate": 2.0,
            "should_retry": lambda error: isinstance(error, RetryLater),
        },
        step,
    )


class Durable:
    """The engine of this process. Make one, ``register``, ``launch``, ``close``."""

    def __init__(
        self, sync_engine: Any, *, executor: str, runners: int, place: str = ""
    ) -> None:
        """``place`` names the data directory, where a run's files are.

        ``runners`` of 0 leaves runs to other processes.
        """
        self._client: DBOSClient | None = None
        self._engine = sync_engine
        self._runners = runners
        self._place = place
        self._closing = False
        self._under_way: set[asyncio.Task[None]] = set()
        config: DBOSConfig = {
            "name": _NAME,
            # Our own engine, because theirs begins a transaction too late to count.
            "system_database_engine": sync_engine,
            "run_migrations": False,
            "executor_id": executor,
            "application_version": _VERSION,
            "serializer": DBOSPortableJSONSerializer(),
            "enable_otlp": False,
            "log_level": "ERROR",  # what it says of retries, we say ourselves
            "notification_listener_polling_interval_sec": 1.0,
        }
        DBOS(config=config)
        engine_log = logging.getLogger("dbos")
        engine_log.handlers.clear()
        engine_log.propagate = True

    def register(
        self,
        *,
        advance: Callable[[int, Steps], Awaitable[None]],
        carry_out: Callable[[str, Steps], Awaitable[None]],
    ) -> None:
        """Name the two workflows' bodies, before ``launch``."""

        @DBOS.workflow(name="advance", max_recovery_attempts=_RECOVERIES)
        async def advance_workflow(delivery: str) -> None:
            await self._take(lambda: advance(int(delivery), durable_step))

        @DBOS.workflow(name="carry_out", max_recovery_attempts=_RECOVERIES)
        async def carry_out_workflow(run: str) -> None:
            await self._take(lambda: self._in_one_place(run, carry_out))

    async def _take(self, body: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        if self._closing:
            raise asyncio.CancelledError
        await body()

    async def _in_one_place(
        self, run: str, carry_out: Callable[[str, Steps], Awaitable[None]]
    ) -> None:
        """Carry the run out, unless it began where its files cannot be reached."""
        if await durable_step("place", self._here) == self._place:
            await carry_out(run, durable_step)
            return
        # No step: at this point of the workflow another one is remembered. The
        # identity makes it once, and is new for every place it wanders to.
        assert self._client is not None
        log.warning("run begins anew in another place", extra={"run": run})
        identity = f"{DBOS.workflow_id}@{self._place}"
        await self._client.enqueue_async(_options("carry_out", identity), run)

    async def _here(self) -> str:
        return self._place

    async def prepare(self) -> None:
        """Make the engine's tables, and be ready to enqueue without taking work."""
        url = self._engine.url.render_as_string(hide_password=False)
        await asyncio.to_thread(DBOS.migrate, url)
        self._client = DBOSClient(
            system_database_engine=self._engine,
            serializer=DBOSPortableJSONSerializer(),
            application_name=_NAME,
            lazy=True,
        )

    async def launch(self) -> None:
        """Start taking work, beginning with what a crash left unfinished."""
        await self.prepare()
        assert self._client is not None
        # Before the launch: queues that it finds are served at once, later ones
        # only at its next look around.
        poll = _POLL.total_seconds()
        await self._client.register_queue_async(
            "deliveries", partition_concurrency=1, polling_interval_sec=poll
        )
        if self._runners:
            await self._client.register_queue_async(
                "runs", worker_concurrency=self._runners, polling_interval_sec=poll
            )
        else:
            DBOS.listen_queues([_QUEUES["advance"]])
        DBOS.launch()

    def enqueue(
        self, connection: Any, kind: str, identity: str, partition: str
    ) -> None:
        """Satisfies ``store.outbox.Enqueue``."""
        assert self._client is not None, "launch the engine before enqueueing"
        # As wide as any, because on SQLite those of one second go by name.
        options = _options(kind, f"{kind}:{identity:0>19}")
        if partition:
            options["queue_partition_key"] = partition
        self._client.enqueue_in_transaction(connection, options, identity)

    async def close(self) -> None:
        """Stop taking work; what is under way is taken up at the next launch."""
        # Cut off by us: DBOS lets workflows run on, but without its database, so
        # that a step's end could no longer be written down. Cancelled ones it
        # leaves as they are.
        self._closing = True
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        # It has put its own threads under asyncio.to_thread, and takes them away.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        self._client = None


def _options(kind: str, identity: str) -> Any:
    return {
        "workflow_name": kind,
        "queue_name": _QUEUES[kind],
        "workflow_id": identity,
        "app_version": _VERSION,
    }
