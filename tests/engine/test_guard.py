"""What a machine of the fleet may ask for: its own run, and no more."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from vibeboard.domain.board import CardKey
from vibeboard.domain.evidence import SuiteResult
from vibeboard.domain.question import Question
from vibeboard.domain.review import ReviewResult
from vibeboard.domain.run import Report, Run, RunState
from vibeboard.domain.tools import ToolCall
from vibeboard.domain.workflow import (
    Agent,
    Cli,
    Prompt,
    Result,
    Review,
    Stage,
    Suite,
)
from vibeboard.engine.guard import Forbidden, admit
from vibeboard.engine.ports import Button, CheckRun, Conclusion
from vibeboard.errors import Fenced

CARD = CardKey("acme/clock", 7)
OTHER = CardKey("acme/clock", 8)
AT = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(
    "r1",
    CARD,
    "develop",
    "d1",
    "alice",
    RunState.RUNNING,
    AT,
    AT,
    attempt=2,
    worker="w",
)
AGENT = Agent("a", Cli.COMMAND, ("true",), usd=3.0)
UNIT = Suite("unit", "pytest", ("r.xml",))
LOOK = Review("security", AGENT, Prompt(text="look"))
STAGE = Stage(
    "develop", "Doing", AGENT, Prompt(text="do"), tests=(UNIT,), reviews=(LOOK,)
)
SPEC = replace(STAGE, result=Result.ISSUE)
CHECK = CheckRun(
    "vibeboard / develop", "a" * 40, "r1", "title", "summary", Conclusion.SUCCESS
)
CALL = ToolCall("t", "Bash", "ls", {})
PULL = {"repository": "acme/clock", "title": "t", "body": "b"}
KEPT = {"repository": "acme/clock", "commit": "a" * 40, "run": "r1"}


def asked(
    port: str, method: str, stage: Stage | None = STAGE, **arguments: Any
) -> dict[str, Any]:
    return admit(
        RUN,
        stage,
        default_branch="main",
        port=port,
        method=method,
        arguments=arguments,
    )


@pytest.mark.parametrize(
    ("port", "method", "arguments"),
    [
        ("runs", "get", {"run": "r1"}),
        ("runs", "history", {"card": CARD}),
        ("runs", "end", {"run": RUN, "report": Report(RunState.FAILED)}),
        (
            "runs",
            "end",
            {"run": RUN, "report": Report(RunState.SUCCEEDED, branch="vibe/7-it")},
        ),
        ("repositories", "token", {"repository": "acme/clock"}),
        ("pulls", "ensure", {**PULL, "branch": "vibe/7-it", "base": "main"}),
        ("checks", "put", {"repository": "acme/clock", "check": CHECK}),
        ("evidence", "keep", {**KEPT, "suite": UNIT, "result": SuiteResult("unit")}),
        (
            "reviews",
            "keep",
            {
                **KEPT,
                "review": replace(LOOK, agent=replace(AGENT, usd=0.5)),
                "result": ReviewResult("security"),
            },
        ),
        ("questions", "heard", {"question": Question("q1", "r1", CARD, CALL, "", AT)}),
    ],
)
def test_its_own_run_is_its_own(
    port: str, method: str, arguments: dict[str, Any]
) -> None:
    assert asked(port, method, **arguments) == arguments


@pytest.mark.parametrize(
    ("port", "method", "arguments"),
    [
        ("runs", "get", {"run": "r2"}),
        ("queue", "give_up", {"run": "r2", "reason": "because"}),
        ("runs", "history", {"card": OTHER}),
        ("cards", "read", {"card": CardKey("acme/other", 7)}),
        ("cards", "write_body", {"card": CARD, "body": "no spec"}),
        ("runs", "hold", {"run": replace(RUN, id="r2")}),
        ("runs", "hold", {"run": replace(RUN, card=OTHER)}),
        ("repositories", "file", {"repository": "acme/other", "path": "x"}),
        ("repositories", "token", {"repository": "acme/other"}),
        ("repositories", "token", {"repository": "acme/clock", "approved": True}),
        (
            "runs",
            "end",
            {"run": RUN, "report": Report(RunState.SUCCEEDED, branch="main")},
        ),
        (
            "runs",
            "end",
            {"run": RUN, "report": Report(RunState.SUCCEEDED, branch="vibe/8-it")},
        ),
        ("pulls", "ensure", {**PULL, "branch": "vibe/8-it", "base": "main"}),
        ("pulls", "ensure", {**PULL, "branch": "main", "base": "main"}),
        ("pulls", "ensure", {**PULL, "branch": "vibe/7-it", "base": "release"}),
        *(
            ("checks", "put", {"repository": "acme/clock", "check": check})
            for check in (
                replace(CHECK, name="build"),
                replace(CHECK, name="vibeboard / e2e"),
                replace(CHECK, external_id="r2"),
                replace(CHECK, buttons=(Button("b", "b", "b"),)),
                replace(CHECK, details_url="https://example.com"),
            )
        ),
        (
            "evidence",
            "keep",
            {**KEPT, "suite": replace(UNIT, run="true"), "result": SuiteResult("unit")},
        ),
        ("evidence", "keep", {**KEPT, "suite": UNIT, "result": SuiteResult("e2e")}),
        (
            "reviews",
            "keep",
            {
                **KEPT,
                "review": replace(LOOK, prompt=Prompt(text="look away")),
                "result": ReviewResult("security"),
            },
        ),
        ("questions", "heard", {"question": Question("q1", "r2", CARD, CALL, "", AT)}),
    ],
)
def test_what_belongs_to_others_stays_theirs(
    port: str, method: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(Forbidden):
        asked(port, method, **arguments)


def test_a_spec_is_written_by_a_stage_that_writes_one() -> None:
    arguments = {"card": CARD, "body": "a spec"}

    assert asked("cards", "write_body", SPEC, **arguments) == arguments


@pytest.mark.parametrize(
    "said", [replace(RUN, attempt=1), replace(RUN, worker="another")]
)
def test_an_attempt_that_does_not_count_is_fenced(said: Run) -> None:
    with pytest.raises(Fenced):
        asked("expenses", "record", run=said)


def test_what_is_said_of_the_run_itself_is_not_believed() -> None:
    said = replace(RUN, stage="another", asked_by="bob", approved="a" * 40)

    assert asked("expenses", "record", run=said) == {"run": RUN}
