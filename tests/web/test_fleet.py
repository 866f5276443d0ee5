"""What machines of the fleet may ask over HTTP, and what strangers may not."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.conftest import HandClock
from tests.store.ledgers import CARD, Ledger, start
from vibeboard.action.server import Identity, Server, Tokens
from vibeboard.domain.board import Permission
from vibeboard.domain.run import Posting, Report, Run, RunState
from vibeboard.engine import wire
from vibeboard.engine.lender import Lender
from vibeboard.engine.ports import Caller, Remote, Sight, SourceFile, Whereabouts
from vibeboard.engine.reruns import Reruns
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import Broken, Fenced, NotProved, StoreUnavailable
from vibeboard.github import accounting
from vibeboard.store import migrate
from vibeboard.store.database import open_database
from vibeboard.web.fleet import PATH, FleetCalls

FILE = "version: 1\nrunner: actions\nstages: {develop: {}}\n"
MY_TOKEN = "41-1-7"


class Proofs:
    """Takes a caller's numbers for its token: ``posting-attempt-repository``."""

    async def prove(self, token: str) -> Caller:
        parts = token.split("-")
        if len(parts) != 3:
            raise NotProved("that is no token of a job")
        posting, attempt, repository = map(int, parts)
        return Caller(posting, attempt, repository, "agent.yml")

    async def check(self, caller: Caller, repository: str) -> None:
        if (caller.repository, repository) != (7, "acme/clock"):
            raise NotProved("the job is another repository's")


class OneRepository:
    """Counts the calls that it takes to read it."""

    async def file(
        self, repository: str, path: str, *, ref: str | None = None
    ) -> SourceFile | None:
        del repository, path
        accounting.count(requests=2, points=1)
        return SourceFile(FILE, ref or "c0ffee")

    async def remote(self, repository: str, *, approved: bool = False) -> Remote:
        async def credential() -> str:
            return f"token for {repository} {approved}"

        return Remote("https://git.example/acme/clock", credential, "main")

    async def permission(self, repository: str, login: str) -> Permission:
        raise AssertionError(repository, login)

    async def installed(self) -> list[str]:
        raise AssertionError


class NoFleet:
    """Where nobody runs anything again."""

    async def post(self, run: Run) -> Posting:
        raise AssertionError(run)

    async def look(self, repository: str, posting: Posting) -> Sight:
        del repository, posting
        return Sight(Whereabouts.ENDED, 1)

    async def cancel(self, repository: str, posting: Posting) -> None:
        raise AssertionError(repository, posting)


class Counter:
    counted = staticmethod(accounting.counted)


@dataclass
class Bench:
    """A server with one run, which was posted to the machine of MY_TOKEN."""

    ledger: Ledger
    run: Run
    url: str
    session: aiohttp.ClientSession
    tokens: list[str]

    async def raw(
        self, port: str, method: str, body: str, *, token: str = MY_TOKEN, run: str = ""
    ) -> tuple[int, Any]:
        url = f"{self.url}/actions/runs/{run or self.run.id}/{port}/{method}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.session.post(url, data=body, headers=headers) as answer:
            return answer.status, await answer.json()

    def server(self, *, patience: float = 5.0) -> Server:
        identity = Identity(f"{self.url}/token?api-version=2.0", "key")
        tokens = Tokens(identity, self.session, server=self.url)
        return Server(self.url, self.run.id, tokens, self.session, patience=patience)


@pytest.fixture
async def bench(tmp_path: Path, clock: HandClock) -> AsyncIterator[Bench]:
    database = open_database(f"sqlite:///{tmp_path}/vibeboard.db")
    migrate.upgrade(database)
    ledger = Ledger(database, clock)
    await ledger.workers.enter()
    await ledger.decided(start())
    (run,) = await ledger.run_queue.claim(1)
    posting = Posting(41, "https://github.example/41", clock.now())
    await ledger.postings.posted(run, posting, timedelta(minutes=1))
    repositories = OneRepository()
    lender = Lender(
        proofs=Proofs(),
        runs=ledger.runs,
        repositories=repositories,
        workflows=Workflows(repositories),
        lent=lambda caller: ledger.lent(
            replace(posting, id=caller.posting, attempt=caller.attempt)
        ),
        ports={
            "runs": ledger.runs,
            "questions": ledger.questions,
            "repositories": wire.HomeRepositories(repositories),
        },
        counter=Counter(),
        reruns=Reruns(runs=ledger.runs, fleet=NoFleet(), wishes=ledger.deliveries),
    )
    given: list[str] = []

    async def identify(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer key"
        assert request.query["audience"] == f"vibeboard:http://{request.host}"
        given.append(MY_TOKEN)
        return web.json_response({"value": MY_TOKEN})

    app = web.Application()
    app.router.add_post(PATH, FleetCalls(lender).receive)
    app.router.add_get("/token", identify)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:
        yield Bench(ledger, await ledger.runs.get(run), url, session, given)
    await runner.cleanup()
    await database.close()


async def test_a_machine_carries_its_run_through(bench: Bench) -> None:
    call = bench.server()
    runs, queue = wire.RUNS.remote(call), wire.QUEUE.remote(call)

    begun = await queue.begin(bench.run.id)
    await queue.beat(begun.id)
    await runs.remember(begun, "agent", {"made": 1})
    with accounting.counted() as calls:
        await wire.REPOSITORIES.remote(call).file("acme/clock", "README.md")
    await runs.end(begun, Report(RunState.SUCCEEDED))

    assert (begun.attempt, begun.worker) == (1, "actions-41-1")
    assert (calls.requests, calls.points) == (2, 1)
    ended = await bench.ledger.runs.get(begun.id)
    assert ended.state is RunState.SUCCEEDED
    with pytest.raises(Fenced):
        await runs.end(begun, Report(RunState.FAILED))


@pytest.mark.parametrize(
    ("token", "status", "why"),
    [
        ("", 401, "no token"),
        ("made-up", 401, "no token"),
        ("41-1-8", 401, "another repository"),
        ("42-1-7", 409, "given to another machine"),
    ],
)
async def test_who_is_not_the_runs_machine_gets_nothing(
    bench: Bench, token: str, status: int, why: str
) -> None:
    body = json.dumps({"run": bench.run.id})

    for port, method in (("queue", "begin"), ("runs", "get"), ("queue", "beat")):
        found, told = await bench.raw(port, method, body, token=token)
        assert (found, why in told["error"]["message"]) == (status, True)

    assert await bench.ledger.runs.get(bench.run.id) == bench.run


async def test_before_it_begins_it_may_only_look(bench: Bench) -> None:
    runs = wire.RUNS.remote(bench.server())

    assert await runs.get(bench.run.id) == bench.run
    with pytest.raises(Fenced):
        await runs.history(CARD)
    with pytest.raises(Fenced):
        await wire.REPOSITORIES.remote(bench.server()).token("acme/clock")


async def test_a_machine_that_was_there_before_its_number_waits(
    bench: Bench,
) -> None:
    await bench.ledger.decided(start(replace(CARD, number=9)))
    (other,) = await bench.ledger.run_queue.claim(9)

    status, told = await bench.raw(
        "queue", "begin", json.dumps({"run": other}), token="43-1-7", run=other
    )

    assert (status, told["error"]["kind"]) == (503, "RetryLater")


async def test_what_is_anothers_is_forbidden(bench: Bench) -> None:
    call = bench.server()
    begun = await wire.QUEUE.remote(call).begin(bench.run.id)
    runs, repositories = wire.RUNS.remote(call), wire.REPOSITORIES.remote(call)

    asked = (
        lambda: runs.get("r2"),
        lambda: runs.history(replace(CARD, number=8)),
        lambda: runs.end(begun, Report(RunState.SUCCEEDED, branch="main")),
        lambda: repositories.token("acme/other"),
        lambda: repositories.token("acme/clock", approved=True),
        lambda: wire.QUEUE.remote(call).give_up("r2", "because"),
    )
    for each in asked:
        with pytest.raises(Broken, match=r"is not that of|card's|approved"):
            await each()
    assert await repositories.token("acme/clock") == "token for acme/clock False"


@pytest.mark.parametrize(
    ("port", "method", "body", "status"),
    [
        ("runs", "claim", "{}", 404),
        ("locks", "hold", "{}", 404),
        ("replies", "ensure", "{}", 404),
        ("queue", "__init__", "{}", 404),
        ("runs", "get", "", 400),
        ("runs", "get", "[", 400),
        ("runs", "get", "[]", 400),
        ("runs", "get", "{}", 400),
        ("runs", "get", '{"run": 1}', 400),
        ("runs", "get", '{"run": "r1", "more": 1}', 400),
        ("runs", "get", "\udcff", 400),
    ],
)
async def test_what_cannot_be_read_is_said(
    bench: Bench, port: str, method: str, body: str, status: int
) -> None:
    raw = body.encode("utf-8", "surrogateescape").decode("latin-1")

    found, told = await bench.raw(port, method, raw)

    assert found == status
    assert told["error"]["message"]


async def test_a_token_is_asked_for_anew_when_the_server_does_not_take_it(
    bench: Bench,
) -> None:
    runs = wire.RUNS.remote(bench.server())

    await runs.get(bench.run.id)
    await runs.get(bench.run.id)

    # It does not say until when it holds: then it holds once.
    assert bench.tokens == [MY_TOKEN] * 2


async def test_a_server_that_is_away_is_waited_for_a_while(bench: Bench) -> None:
    server = Server(
        "http://127.0.0.1:1",
        "r1",
        Tokens(
            Identity(f"{bench.url}/token?x=1", "key"), bench.session, server=bench.url
        ),
        bench.session,
        patience=0.5,
    )

    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await wire.RUNS.remote(server).get("r1")


async def test_a_server_without_an_address_lends_nothing(bench: Bench) -> None:
    app = web.Application()
    app.router.add_post(PATH, FleetCalls(None).receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here = replace(bench, url=f"http://127.0.0.1:{runner.addresses[0][1]}")

    status, told = await here.raw("runs", "get", "{}")
    await runner.cleanup()

    assert status == 404
    assert "public address" in told["error"]["message"]
