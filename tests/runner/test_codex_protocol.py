"""Our side of Codex's app-server, against a program with a script."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.approver import Lost, Person
from tests.fakes.scripted import Scripted, Step
from tests.fakes.stop import Never, Stop
from tests.runner.agent_desk import AgentDesk
from vibeboard.domain.tools import Verdict
from vibeboard.domain.workflow import Cli
from vibeboard.engine.ports import AgentEnd, AgentResult, Approver, StopSignal
from vibeboard.errors import AgentMissing
from vibeboard.runner.agents.codex import CodexAgent
from vibeboard.runner.environment import Environment
from vibeboard.runner.gateway.apis import Account, Provider
from vibeboard.runner.sandbox.cell import Policy, Sandbox


def answers(number: int, result: dict[str, Any]) -> Step:
    return ("say", {"id": number, "result": result})


def begun(policy: str = "untrusted") -> list[Step]:
    return [
        ("until", {"method": "initialize"}),
        answers(1, {}),
        ("until", {"method": "thread/start"}),
        answers(2, {"thread": {"id": "t"}, "approvalPolicy": policy, "model": "m"}),
    ]


TURN: list[Step] = [
    ("until", {"method": "turn/start"}),
    answers(3, {"turn": {"id": "turn"}}),
    ("say", {"method": "turn/started", "params": {"threadId": "t"}}),
]


def ended(outcome: str) -> Step:
    params = {"threadId": "t", "turn": {"id": "turn", "status": outcome}}
    return ("say", {"method": "turn/completed", "params": params})


def asks(number: int, method: str, **params: Any) -> Step:
    return ("say", {"id": number, "method": method, "params": params})


def command(number: int, line: str) -> Step:
    return asks(
        number,
        "item/commandExecution/requestApproval",
        itemId=f"call_{number}",
        command=f"/bin/bash -lc '{line}'",
    )


def used(total: int) -> Step:
    usage = {"total": {"outputTokens": total}, "last": {"outputTokens": 1}}
    params = {"threadId": "t", "tokenUsage": usage}
    return ("say", {"method": "thread/tokenUsage/updated", "params": params})


@pytest.fixture
def desk(tmp_path: Path) -> AgentDesk:
    return AgentDesk(tmp_path, Cli.CODEX)


async def work(
    desk: AgentDesk,
    program: Scripted,
    approver: Approver | None = None,
    stop: StopSignal | None = None,
    **wanted: Any,
) -> AgentResult:
    account = Account(Provider.OPENAI, "http://127.0.0.1:1/v1", "sk-canary")
    sandbox = Sandbox(
        Environment("/usr/bin:/bin"), policy=Policy.OFF, accounts=[account]
    )
    agent = CodexAgent(sandbox, program=program.path, hold=timedelta(seconds=7))
    return await agent.work(
        desk.assignment(**wanted), stop or Never(), approver or Person()
    )


def decisions(program: Scripted) -> dict[int, str]:
    return {
        said["id"]: said["result"]["decision"]
        for said in program.heard
        if "decision" in said.get("result", {})
    }


async def test_it_is_answered_and_unknown_questions_are_refused(
    desk: AgentDesk,
) -> None:
    program = Scripted(
        desk.folder,
        *begun(),
        *TURN,
        command(10, "make"),
        command(11, "rm x"),
        # A change of files that was never shown is not let through unseen.
        asks(12, "item/fileChange/requestApproval", itemId="call_12"),
        asks(13, "item/tool/requestUserInput"),
        ("until", {"id": 13}),
        ended("completed"),
    )
    person = Person(rm=Verdict.DENY)

    result = await work(desk, program, person)

    assert result.end is AgentEnd.FINISHED
    assert result.session == "t"
    assert decisions(program) == {10: "accept", 11: "decline", 12: "accept"}
    assert [call.subject for call in person.asked] == ["make", "rm x", ""]
    assert person.asked[2].paths == ()
    (refused,) = [said for said in program.heard if said.get("id") == 13]
    assert refused["error"]["code"] == -32601
    start = next(said for said in program.heard if said["method"] == "thread/start")
    assert start["params"]["approvalPolicy"] == "untrusted"
    assert start["params"]["approvalsReviewer"] == "user"


async def test_what_a_person_has_to_answer_ends_the_turn_until_then(
    desk: AgentDesk,
) -> None:
    program = Scripted(
        desk.folder,
        *begun(),
        *TURN,
        command(10, "git push"),
        ("until", {"id": 10}),
        ended("interrupted"),
    )
    person = Person(push=Verdict.ASK)

    result = await work(desk, program, person)

    assert result.end is AgentEnd.WAITING
    assert decisions(program) == {10: "cancel"}
    assert person.held == [timedelta(0), timedelta(seconds=7)]


async def test_one_that_would_not_ask_is_not_let_to_work(desk: AgentDesk) -> None:
    program = Scripted(desk.folder, *begun("never"))

    result = await work(desk, program)

    assert result.end is AgentEnd.FAILED
    assert "would not ask before it works (never)" in result.reason
    assert "turn/start" not in [said.get("method") for said in program.heard]


async def test_no_command_runs_where_the_approver_cannot_say(desk: AgentDesk) -> None:
    program = Scripted(
        desk.folder, *begun(), *TURN, command(10, "make"), ("hang", None)
    )

    with pytest.raises(ConnectionError, match="not to be had"):
        await work(desk, program, Lost())

    assert decisions(program) == {}


async def test_one_without_a_model_is_missing_it(desk: AgentDesk) -> None:
    agent = CodexAgent(
        Sandbox(Environment("/usr/bin:/bin"), policy=Policy.OFF),
        program=Scripted(desk.folder).path,
    )

    with pytest.raises(AgentMissing, match="VIBEBOARD_OPENAI_API_KEY_FILE"):
        await agent.work(desk.assignment(), Never(), Person())


async def test_one_that_dies_in_the_middle_crashed(desk: AgentDesk) -> None:
    program = Scripted(
        desk.folder, *begun(), ("complain", "out of memory"), ("die", None)
    )

    result = await work(desk, program)

    assert result.end is AgentEnd.FAILED
    assert "exit code 137 without saying how it went: out of memory" in result.reason


async def test_its_turns_are_counted_for_it(desk: AgentDesk) -> None:
    program = Scripted(
        desk.folder,
        *begun(),
        *TURN,
        used(11),
        used(12),
        ("until", {"method": "turn/interrupt"}),
        ended("interrupted"),
    )

    result = await work(desk, program, turns=1)

    assert (result.end, result.reason) == (
        AgentEnd.FAILED,
        "it reached its limit of turns",
    )
    assert result.cost.output_tokens == 2


async def test_one_that_is_stopped_is_asked_first(desk: AgentDesk) -> None:
    stop = Stop()

    class Asking(Person):
        async def decide(self, *args: Any, **how: Any) -> Any:
            stop.ask()
            return await super().decide(*args, **how)

    program = Scripted(
        desk.folder,
        *begun(),
        *TURN,
        command(10, "make"),
        ("until", {"method": "turn/interrupt"}),
        ended("interrupted"),
    )

    result = await work(desk, program, Asking(), stop)

    assert result.end is AgentEnd.STOPPED
