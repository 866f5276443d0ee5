"""Our side of Claude Code's control protocol, against a program with a script."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.approver import Lost, Person
from tests.fakes.scripted import Scripted, Step
from tests.fakes.stop import Never, Stop
from tests.runner.agent_desk import AgentDesk, question
from vibeboard.domain.tools import Ruling, ToolCall, Verdict
from vibeboard.domain.workflow import Cli
from vibeboard.engine.ports import AgentEnd, AgentResult, Approver, StopSignal
from vibeboard.runner.agents.claude import ClaudeAgent
from vibeboard.runner.environment import Environment
from vibeboard.runner.sandbox.cell import Policy, Sandbox

READY: list[Step] = [
    ("until", {"request": {"subtype": "initialize"}}),
    (
        "say",
        {
            "type": "control_response",
            "response": {"subtype": "success", "request_id": "begin", "response": {}},
        },
    ),
]
PROMPTED: Step = ("until", {"type": "user"})


def result(**facts: Any) -> Step:
    whole = {"type": "result", "is_error": False, "result": "Done."} | facts
    return ("say", whole)


def hook(number: int, tool: str, **given: Any) -> Step:
    asked = {
        "tool_name": tool,
        "tool_input": given,
        "tool_use_id": f"toolu_{number}",
        "cwd": "/",
    }
    request = {"subtype": "hook_callback", "callback_id": "tools", "input": asked}
    return ("say", asks(f"q{number}", request))


def asks(name: str, request: dict[str, Any]) -> dict[str, Any]:
    return {"type": "control_request", "request_id": name, "request": request}


def answered(name: str) -> Step:
    return ("until", {"response": {"request_id": name}})


@pytest.fixture
def desk(tmp_path: Path) -> AgentDesk:
    return AgentDesk(tmp_path, Cli.CLAUDE_CODE)


async def work(
    desk: AgentDesk,
    program: Scripted,
    approver: Approver | None = None,
    stop: StopSignal | None = None,
    **wanted: Any,
) -> AgentResult:
    agent = ClaudeAgent(
        Sandbox(Environment("/usr/bin:/bin"), policy=Policy.OFF),
        program=program.path,
        hold=timedelta(seconds=7),
    )
    return await agent.work(
        desk.assignment(**wanted), stop or Never(), approver or Person()
    )


def decisions(program: Scripted) -> dict[str, str]:
    found = {}
    for said in program.heard:
        response = said.get("response", {})
        answer = response.get("response", {}).get("hookSpecificOutput")
        if answer:
            found[response["request_id"]] = answer["permissionDecision"]
    return found


async def test_every_tool_is_put_before_the_approver_once(desk: AgentDesk) -> None:
    again = {
        "subtype": "can_use_tool",
        "tool_name": "Bash",
        "input": {"command": "make"},
        "tool_use_id": "toolu_1",
    }
    program = Scripted(
        desk.folder,
        *READY,
        PROMPTED,
        hook(1, "Bash", command="make", description="to build it"),
        ("say", asks("again", again)),
        hook(2, "Write", file_path=str(desk.tree / "a.txt"), content="a\n"),
        hook(3, "Bash", command="rm x"),
        ("say", asks("odd", {"subtype": "mcp_message"})),
        answered("odd"),
        ("print", 'garbage\n{"type":"brand_new"}\n'),
        result(),
    )
    person = Person(rm=Verdict.DENY)

    ended = await work(desk, program, person)

    assert ended.end is AgentEnd.FINISHED
    assert decisions(program) == {"q1": "allow", "q2": "allow", "q3": "deny"}
    assert [call.id for call in person.asked] == ["toolu_1", "toolu_2", "toolu_3"]
    build, write, _ = person.asked
    assert (build.subject, build.why) == ("make", "to build it")
    assert build.arguments == {"command": "make"}
    assert write.paths == ("a.txt",)
    assert "+a" in write.diff
    said = {each["response"]["request_id"]: each for each in program.heard[2:]}
    assert said["again"]["response"]["response"]["behavior"] == "allow"
    assert said["odd"]["response"]["subtype"] == "error"
    hooks = program.heard[0]["request"]["hooks"]["PreToolUse"]
    assert (hooks[0]["matcher"], hooks[0]["onFailure"]) == (".*", "block")
    verdicts = [each["verdict"] for each in desk.events("ApprovalAnswered")]
    assert sorted(verdicts) == ["allow", "allow", "deny"]


async def test_what_a_person_has_to_answer_ends_the_turn_until_then(
    desk: AgentDesk,
) -> None:
    program = Scripted(
        desk.folder,
        *READY,
        PROMPTED,
        hook(1, "Bash", command="git push"),
        answered("q1"),
        result(stop_reason="tool_deferred", session_id="s", result=""),
    )
    person = Person(push=Verdict.ASK)

    ended = await work(desk, program, person)

    assert ended.end is AgentEnd.WAITING
    assert ended.session == "s"
    assert decisions(program) == {"q1": "defer"}
    assert person.held == [timedelta(0), timedelta(seconds=7)]
    assert [each["event"] for each in desk.events()] == [
        "ApprovalAsked",
        "ApprovalAnswered",
        "Finished",
    ]


ANSWER = question(
    ToolCall("toolu_1", "Bash", "git push"), Ruling(Verdict.ALLOW, by="ada")
)


async def test_a_resumed_session_asks_again_and_is_told_nothing(
    desk: AgentDesk,
) -> None:
    program = Scripted(
        desk.folder,
        *READY,
        hook(1, "Bash", command="git push"),
        answered("q1"),
        result(),
    )

    ended = await work(desk, program, session="s", answered=[ANSWER])

    assert ended.end is AgentEnd.FINISHED
    assert decisions(program) == {"q1": "allow"}
    assert not [said for said in program.heard if said["type"] == "user"]


async def test_a_session_that_forgot_its_question_is_told_the_answer(
    desk: AgentDesk,
) -> None:
    program = Scripted(desk.folder, *READY, PROMPTED, result())

    ended = await work(desk, program, session="s", answered=[ANSWER])

    assert ended.end is AgentEnd.FINISHED
    assert "- ALLOWED: Bash: git push" in program.heard[-1]["message"]["content"]


async def test_no_tool_works_where_the_approver_cannot_say(desk: AgentDesk) -> None:
    program = Scripted(
        desk.folder, *READY, PROMPTED, hook(1, "Bash", command="make"), ("hang", None)
    )

    with pytest.raises(ConnectionError, match="not to be had"):
        await work(desk, program, Lost())

    assert decisions(program) == {}


async def test_one_that_does_not_take_the_hook_is_not_let_to_work(
    desk: AgentDesk,
) -> None:
    refusal = {"subtype": "error", "request_id": "begin", "error": "no hooks here"}
    program = Scripted(
        desk.folder,
        READY[0],
        ("say", {"type": "control_response", "response": refusal}),
    )

    ended = await work(desk, program)

    assert ended.end is AgentEnd.FAILED
    assert "no hooks here" in ended.reason
    assert len(program.heard) == 1


@pytest.mark.parametrize(("step", "code"), [(("die", None), 137), (("exit", 0), 0)])
async def test_one_that_says_nothing_at_its_end_crashed(
    desk: AgentDesk, step: Step, code: int
) -> None:
    program = Scripted(
        desk.folder, *READY, PROMPTED, ("complain", "out of memory"), step
    )

    ended = await work(desk, program)

    assert ended.end is AgentEnd.FAILED
    assert f"exit code {code} without saying how it went" in ended.reason
    assert "out of memory" in ended.reason


async def test_one_that_is_stopped_may_say_what_it_used(desk: AgentDesk) -> None:
    stop = Stop()
    stop.ask()
    program = Scripted(
        desk.folder,
        ("until", {"request": {"subtype": "interrupt"}}),
        result(
            is_error=True,
            terminal_reason="aborted_tools",
            model_usage_since_last_result={"m": {"outputTokens": 7}},
        ),
    )

    ended = await work(desk, program, stop=stop)

    assert ended.end is AgentEnd.STOPPED
    assert ended.cost.output_tokens == 7
