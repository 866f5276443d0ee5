"""``GET /metrics``: what Prometheus reads.

Labels are bounded: no repository, card or person is among them. Counters count this
process; the gauges about deliveries and runs are of the whole database.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vibeboard import __version__
from vibeboard.domain.run import Run
from vibeboard.engine.ports import Calls, Clock
from vibeboard.store.gauges import Reading

_GOOD_FOR = 5.0  # seconds that a reading of the database is shown again
_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_START = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400)
_RUN = (5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Quota(Protocol):
    """What is left of one of GitHub's limits."""

    @property
    def limit(self) -> int:
        """How much there is in a period."""
        ...

    @property
    def remaining(self) -> int:
        """How much of it is left."""
        ...


class Work(Protocol):
    """Something of which several pieces are done at once."""

    @property
    def under_way(self) -> int:
        """How many pieces are being done now."""
        ...


class GitHubUse(Protocol):
    """What GitHub was asked, and what it leaves us."""

    @property
    def calls(self) -> Mapping[str, int]:
        """How often each operation was asked for."""
        ...

    @property
    def quotas(self) -> Mapping[str, Mapping[str, Quota]]:
        """The limits by account and resource."""
        ...


class Metrics:
    """All metrics of this process, in a registry of their own.

    Satisfies ``engine.meter.Meter``. ``asked_at`` tells when the delivery came that
    asked for a run.
    """

    def __init__(
        self, clock: Clock, asked_at: Callable[[Run], Awaitable[datetime]]
    ) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        self._asked_at = asked_at
        self._received = Counter(
            "vibeboard_deliveries_received",
            "Webhook requests answered, by what became of them: new, duplicate, "
            "conflict (same GUID, other body), refused, failed (not stored).",
            ("outcome", "status"),
            registry=self.registry,
        )
        self._intake = Histogram(
            "vibeboard_intake_seconds",
            "From a webhook request's first byte to its answer.",
            buckets=_QUICK,
            registry=self.registry,
        )
        self._to_agent = Histogram(
            "vibeboard_delivery_to_agent_seconds",
            "From a delivery's arrival to the start of the agent that it asked for, "
            "waiting for a free place included.",
            buckets=_START,
            registry=self.registry,
        )
        self._ended = Counter(
            "vibeboard_runs_ended",
            "Runs that came to their end.",
            ("stage", "state"),
            registry=self.registry,
        )
        self._run_seconds = Histogram(
            "vibeboard_run_seconds",
            "How long runs took from their start to their end.",
            ("stage",),
            buckets=_RUN,
            registry=self.registry,
        )
        self._effects = Counter(
            "vibeboard_effects",
            "Effects on GitHub, done or failed.",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self._under_way = Gauge(
            "vibeboard_under_way",
            "What this process is doing now: decisions, effects of decisions, runs.",
            ("what",),
            registry=self.registry,
        )
        info = Gauge(
            "vibeboard_info", "The version.", ("version",), registry=self.registry
        )
        info.labels(__version__).set(1)
        self._answers: dict[tuple[str, int], Counter] = {}

    def answered(self, outcome: str, status: int, seconds: float) -> None:
        """A webhook request was answered."""
        known = self._answers.get((outcome, status))
        if known is None:
            known = self._received.labels(outcome, str(status))
            self._answers[outcome, status] = known
        known.inc()
        self._intake.observe(seconds)

    async def agent_starts(self, run: Run) -> None:
        """The run's agent begins to work."""
        if run.attempt <= 1:
            waited = self._clock.now() - await self._asked_at(run)
            self._to_agent.observe(max(0.0, waited.total_seconds()))

    async def run_ended(self, run: Run) -> None:
        """A run has come to its end, wherever it was carried out."""
        self._ended.labels(run.stage, run.state.value).inc()
        if run.started_at is not None:
            took = run.changed_at - run.started_at
            self._run_seconds.labels(run.stage).observe(took.total_seconds())

    async def performed(self, kind: str, *, failed: bool) -> None:
        """An effect was performed, or given up."""
        self._effects.labels(kind, "failed" if failed else "done").inc()

    def watch(self, what: str, work: Work) -> None:
        """Show how much of a kind of work is under way."""
        self._under_way.labels(what).set_function(lambda: float(work.under_way))

    def watch_github(self, use: GitHubUse, calls: Calls) -> None:
        """Show what GitHub is asked, and what it leaves us."""
        self.registry.register(_GitHubUse(use, calls))


class MetricsPage:
    """Answers Prometheus."""

    def __init__(
        self, metrics: Metrics, read: Callable[[], Awaitable[Reading]], clock: Clock
    ) -> None:
        self._metrics = metrics
        self._read = read
        self._stored = _Stored(clock)
        self._read_at = -_GOOD_FOR
        metrics.registry.register(self._stored)

    async def receive(self, request: web.Request) -> web.Response:
        """All of them; those of the database are missing while it is."""
        del request
        if time.monotonic() - self._read_at >= _GOOD_FOR:
            self._read_at = time.monotonic()
            try:
                self._stored.reading = await self._read()
            except Exception:  # noqa: BLE001 - whatever the database says
                self._stored.reading = None
        body = generate_latest(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": _CONTENT_TYPE})


class _Stored(Collector):
    """The numbers that the database knows."""

    def __init__(self, clock: Clock) -> None:
        self.reading: Reading | None = None
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """The last reading."""
        reading = self.reading
        yield GaugeMetricFamily(
            "vibeboard_database_readable",
            "Whether the numbers of the database could be read.",
            float(reading is not None),
        )
        if reading is None:
            return
        deliveries = GaugeMetricFamily(
            "vibeboard_deliveries",
            "Deliveries that are not settled, by state: unread, open, parked (the App "
            "is absent there), failed and unreadable (dead letters).",
            labels=["state"],
        )
        for state, number in reading.deliveries.items():
            deliveries.add_metric([state], number)
        yield deliveries
        age = 0.0
        if reading.oldest is not None:
            age = max(0.0, (self._clock.now() - reading.oldest).total_seconds())
        yield GaugeMetricFamily(
            "vibeboard_oldest_delivery_seconds",
            "Age of the oldest delivery that is unread or open; 0 if there is none.",
            age,
        )
        runs = GaugeMetricFamily(
            "vibeboard_runs", "Runs that have not ended, by state.", labels=["state"]
        )
        for state, number in reading.runs.items():
            runs.add_metric([state], number)
        yield runs
        yield GaugeMetricFamily(
            "vibeboard_workers", "Processes that take work.", reading.workers
        )
        yield GaugeMetricFamily(
            "vibeboard_pauses", "Scopes that an operator paused.", reading.pauses
        )


class _GitHubUse(Collector):
    """What the GitHub client knows."""

    def __init__(self, use: GitHubUse, calls: Calls) -> None:
        self._use = use
        self._calls = calls

    def collect(self) -> Iterator[Metric]:
        """The counts so far, and the limits as GitHub last told them."""
        requests = CounterMetricFamily(
            "vibeboard_github_requests",
            "Requests to GitHub, by purpose: a route, or the name of a query.",
            labels=["purpose"],
        )
        for purpose, number in sorted(self._use.calls.items()):
            requests.add_metric([purpose], number)
        yield requests
        yield CounterMetricFamily(
            "vibeboard_github_unchanged",
            "Requests that GitHub answered 304, which cost nothing.",
            self._calls.unchanged,
        )
        yield CounterMetricFamily(
            "vibeboard_github_graphql_points",
            "What the queries cost of GitHub's GraphQL limit.",
            self._calls.points,
        )
        left = GaugeMetricFamily(
            "vibeboard_github_limit_remaining",
            "What is left of GitHub's primary limit, as it last told.",
            labels=["account", "resource"],
        )
        limits = GaugeMetricFamily(
            "vibeboard_github_limit",
            "GitHub's primary limit, as it last told.",
            labels=["account", "resource"],
        )
        for account, quotas in self._use.quotas.items():
            for resource, quota in quotas.items():
                left.add_metric([account, resource], quota.remaining)
                limits.add_metric([account, resource], quota.limit)
        yield left
        yield limits
