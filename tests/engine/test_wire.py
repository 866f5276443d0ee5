"""Ports over the wire: what crosses is as it was, and errors are what they were."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import HandClock
from tests.engine.over_wire import loop
from tests.store.ledgers import CARD, Ledger
from vibeboard.domain.board import Permission
from vibeboard.domain.evidence import CaseResult, Outcome, SuiteResult
from vibeboard.domain.review import Finding, ReviewResult, Severity
from vibeboard.domain.run import Cost, Report, Run, RunState, Step
from vibeboard.domain.tools import ToolCall
from vibeboard.domain.workflow import Agent, Cli, Prompt, Review, Scope, Suite
from vibeboard.engine import wire
from vibeboard.engine.ports import Remote, SourceFile
from vibeboard.errors import (
    AppAbsent,
    Broken,
    Fenced,
    GitHubRefused,
    GitHubUnavailable,
    PeopleAsked,
    RateLimited,
    RetryLater,
    StoreUnavailable,
    UserError,
    WorkspaceRefused,
)
from vibeboard.store.database import Database
from vibeboard.store.results import SqlEvidence, SqlReviews
from vibeboard.store.spending import SqlSpending

UNIT = Suite("unit", "pytest", ("r.xml",), time_limit=timedelta(seconds=90))
SECURITY = Review("security", Agent("a", Cli.COMMAND), Prompt(text="look"))
HEAD = "a" * 40
AT = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run("r1", CARD, "develop", "d1", "alice", RunState.RUNNING, AT, AT, worker="w")


@pytest.fixture
async def ledger(database: Database, clock: HandClock) -> Ledger:
    made = Ledger(database, clock)
    await made.workers.enter()
    return made


async def test_a_run_is_the_same_from_afar(ledger: Ledger) -> None:
    run = await ledger.begun()
    far = wire.RUNS.remote(loop(runs=ledger.runs))

    assert await far.get(run.id) == run
    assert await far.history(CARD) == await ledger.runs.history(CARD)
    assert await far.asked(run.id) is None
    await far.hold(run)
    await far.note(run.id, step=Step.AGENT, session="s-1")
    await far.remember(run, "agent", {"made": [1, None, "ä"]})
    await far.remember(run, "agent", {"made": "said again"})
    await far.spent(run, {"requests": 3})

    assert await far.answer(run.id, "agent") == {"made": [1, None, "ä"]}
    assert await far.answer(run.id, "tests") is None
    now = await ledger.runs.get(run.id)
    assert (now.step, now.session, now.calls) == (Step.AGENT, "s-1", {"requests": 3})
    await far.end(run, Report(RunState.SUCCEEDED, "done", cost=Cost(usd=0.5)))
    ended = await ledger.runs.get(run.id)
    assert ended.report == Report(RunState.SUCCEEDED, "done", cost=Cost(usd=0.5))
    with pytest.raises(Fenced):
        await far.hold(run)
    with pytest.raises(KeyError):
        await far.get("r0")


async def test_what_is_kept_is_kept_whole_from_afar(
    database: Database, clock: HandClock
) -> None:
    red = SuiteResult("unit", (CaseResult("t", Outcome.FAILED, 0.5, "m"),), exit_code=1)
    seen = ReviewResult("security", (Finding(Severity.MAJOR, "It leaks", "So."),))
    stores = {
        "evidence": SqlEvidence(database.engine, clock),
        "reviews": SqlReviews(database.engine, clock),
    }
    evidence = wire.EVIDENCE.remote(loop(**stores))
    reviews = wire.REVIEWS.remote(loop(**stores))

    await evidence.keep("acme/clock", HEAD, UNIT, red, run="r1")
    await reviews.keep("acme/clock", HEAD, SECURITY, seen, run="r1")

    assert await evidence.of("acme/clock", HEAD, UNIT) == [red]
    assert await reviews.of("acme/clock", HEAD, SECURITY) == [seen]
    assert await reviews.of("acme/clock", "b" * 40, SECURITY) == []


async def test_questions_and_spending_from_afar(
    ledger: Ledger, database: Database, clock: HandClock
) -> None:
    run = await ledger.begun()
    spending = SqlSpending(database.engine, clock)
    call = loop(questions=ledger.questions, expenses=spending)
    questions, expenses = wire.QUESTIONS.remote(call), wire.EXPENSES.remote(call)
    push = ToolCall("t1", "Bash", "git push", {"command": "git push", "n": [1, 2.5]})

    asked = await questions.ask(run, push, "Bash(git push*)")
    await expenses.record(run, agent="a", model="m", cost=Cost(0.25, 10, 5))
    await questions.heard(replace(asked, run="another"))

    assert await questions.of(run.id) == [asked]
    assert await expenses.of_run(run.id) == Cost(0.25, 10, 5)
    assert await expenses.under(run, [Scope.ISSUE, Scope.DAY]) == {
        Scope.ISSUE: 0.25,
        Scope.DAY: 0.25,
    }


class OneRepository:
    """A repository with one file; counts the tokens it gives."""

    def __init__(self) -> None:
        self.given: list[bool] = []

    async def file(
        self, repository: str, path: str, *, ref: str | None = None
    ) -> SourceFile | None:
        return SourceFile(f"{repository} {path} {ref}", HEAD) if path != "x" else None

    async def remote(self, repository: str, *, approved: bool = False) -> Remote:
        async def credential() -> str:
            self.given.append(approved)
            return f"token {len(self.given)}"

        return Remote(f"https://git.example/{repository}", credential, "trunk")

    async def permission(self, repository: str, login: str) -> Permission:
        del repository
        return Permission.MAINTAIN if login == "alice" else Permission.NONE

    async def installed(self) -> list[str]:
        raise AssertionError


async def test_a_token_is_asked_for_right_before_it_is_used() -> None:
    home = OneRepository()
    lent = wire.REPOSITORIES.remote(loop(repositories=wire.HomeRepositories(home)))
    far = wire.FarRepositories(lent, "acme/clock")

    remote = await far.remote("acme/clock", approved=True)
    assert home.given == []
    assert await remote.credential() == "token 1"
    assert await remote.credential() == "token 2"

    assert (remote.url, remote.default_branch) == (
        "https://git.example/acme/clock",
        "trunk",
    )
    assert home.given == [True, True]
    assert await far.file("acme/clock", "y", ref="v1") == SourceFile(
        "acme/clock y v1", HEAD
    )
    assert await far.file("acme/clock", "x") is None
    assert await far.permission("acme/clock", "alice") is Permission.MAINTAIN
    assert await far.installed() == ("acme/clock",)


@pytest.mark.parametrize(
    "error",
    [
        Fenced("another attempt"),
        UserError("mend it"),
        WorkspaceRefused("no commits"),
        RetryLater("later", after=timedelta(seconds=7)),
        RateLimited("too many", after=timedelta(minutes=3)),
        GitHubUnavailable("502"),
        StoreUnavailable("away", after=timedelta(seconds=1)),
        AppAbsent("acme", "suspended"),
        GitHubRefused("no", status_code=422),
        PeopleAsked("r1"),
        KeyError("r0"),
        Broken("ours"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_error_is_raised_as_what_it_was(error: Exception) -> None:
    class Raising:
        async def hold(self, run: object) -> None:
            del run
            raise error

    far = wire.RUNS.remote(loop(runs=Raising()))

    with pytest.raises(type(error)) as raised:
        await far.hold(RUN)

    assert type(raised.value) is type(error)
    assert str(raised.value) == str(error)
    for name in ("after", "account", "status_code"):
        assert getattr(raised.value, name, None) == getattr(error, name, None)


async def test_what_broke_there_tells_nothing_of_its_insides() -> None:
    class Breaking:
        async def get(self, run: str) -> None:
            raise ValueError(f"the password of {run}")

    with pytest.raises(Broken, match="ValueError") as raised:
        await wire.RUNS.remote(loop(runs=Breaking())).get("r1")

    assert "password" not in str(raised.value)


@pytest.mark.parametrize(
    ("port", "method", "arguments", "fault"),
    [
        ("runs", "get", [], "no JSON object"),
        ("runs", "get", {}, "needs run"),
        ("runs", "get", {"run": "r1", "more": 1}, "does not take more"),
        ("runs", "get", {"run": 1}, "string_type"),
        ("runs", "note", {"run": "r1", "comment": 7}, "does not take comment"),
        ("runs", "note", {"run": "r1", "step": "dance"}, "step: enum"),
        ("cards", "read", {"card": {"repository": "a/b"}}, "number missing"),
        ("cards", "read", {"card": None, "field": "x"}, "does not take field"),
    ],
)
def test_a_call_that_cannot_be_read_says_where(
    port: str, method: str, arguments: Any, fault: str
) -> None:
    with pytest.raises(wire.Malformed, match=fault):
        wire.PORTS[port].methods[method].load(arguments)


async def test_what_may_not_be_asked_from_afar_is_not_sent() -> None:
    with pytest.raises(wire.Malformed, match="takes no comment"):
        await wire.RUNS.remote(loop()).note("r1", comment=7)


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"error": None}, {"error": {"kind": 3}}, {"made": 3}]
)
async def test_an_answer_that_is_none_is_no_surprise(answer: Any) -> None:
    async def call(port: str, method: str, arguments: Mapping[str, Any]) -> Any:
        del port, method, arguments
        return answer

    with pytest.raises(wire.Malformed):
        await wire.RUNS.remote(call).get("r1")
