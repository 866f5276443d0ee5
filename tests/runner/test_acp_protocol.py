"""Our side of the Agent Client Protocol, against a program with a script."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.approver import Lost, Person
from tests.fakes.scripted import Scripted, Step
from tests.fakes.stop import Never
from tests.runner.agent_desk import AgentDesk, question
from vibeboard.domain.tools import Ruling, ToolCall, Verdict
from vibeboard.domain.workflow import Cli
from vibeboard.engine.ports import AgentEnd, AgentResult, Approver
from vibeboard.errors import AgentMissing
from vibeboard.runner.agents.acp import AcpAgent
from vibeboard.runner.environment import Environment
from vibeboard.runner.sandbox.cell import Policy, Sandbox

OPEN = Sandbox(Environment("/usr/bin:/bin"), policy=Policy.OFF)
ONCE = [
    {"optionId": "ever", "kind": "allow_always", "name": "Always"},
    {"optionId": "yes", "kind": "allow_once", "name": "Yes"},
    {"optionId": "no", "kind": "reject_once", "name": "No"},
]


def says(**message: Any) -> Step:
    return ("say", {"jsonrpc": "2.0", **message})


def hello(name: str = "gemini-cli") -> list[Step]:
    able = {"agentInfo": {"name": name}, "agentCapabilities": {"loadSession": True}}
    return [
        ("until", {"method": "initialize"}),
        says(id=0, result={"protocolVersion": 1} | able),
    ]


def session(*modes: str, now: str = "") -> list[Step]:
    facts: dict[str, Any] = {"sessionId": "s"}
    if modes:
        offered = [{"id": mode, "name": mode} for mode in modes]
        facts["modes"] = {"availableModes": offered, "currentModeId": now or modes[0]}
    return [("until", {"method": "session/new"}), says(id=1, result=facts)]


MODE_SET: list[Step] = [
    ("until", {"method": "session/set_mode", "params": {"modeId": "default"}}),
    says(id=2, result={}),
]


def prompted(number: int) -> Step:
    return ("until", {"id": number, "method": "session/prompt"})


def ended(number: int, why: str = "end_turn", **more: Any) -> Step:
    return says(id=number, result={"stopReason": why} | more)


def tells(kind: str, **update: Any) -> Step:
    params = {"sessionId": "s", "update": {"sessionUpdate": kind, **update}}
    return says(method="session/update", params=params)


def asks(
    number: int, line: str, options: Sequence[dict[str, str]] = tuple(ONCE)
) -> Step:
    call = {"toolCallId": f"call_{number}", "kind": "execute", "title": "Shell"}
    params = {
        "sessionId": "s",
        "toolCall": call | {"rawInput": {"command": line}},
        "options": list(options),
    }
    return says(id=f"q{number}", method="session/request_permission", params=params)


@pytest.fixture
def desk(tmp_path: Path) -> AgentDesk:
    return AgentDesk(tmp_path, Cli.ACP)


async def work(
    desk: AgentDesk,
    program: Scripted,
    approver: Approver | None = None,
    **wanted: Any,
) -> AgentResult:
    agent = AcpAgent(OPEN, hold=timedelta(seconds=7))
    assignment = desk.assignment(command=(str(program.path),), **wanted)
    return await agent.work(assignment, Never(), approver or Person())


def chosen(program: Scripted) -> dict[str, str]:
    return {
        said["id"]: said["result"]["outcome"].get("optionId", "cancelled")
        for said in program.heard
        if isinstance(said.get("result"), dict) and "outcome" in said["result"]
    }


async def test_it_is_set_to_ask_and_is_answered_for_this_once(desk: AgentDesk) -> None:
    program = Scripted(
        desk.folder,
        *hello(),
        *session("yolo", "default"),
        *MODE_SET,
        prompted(3),
        asks(1, "make"),
        asks(2, "rm x"),
        ("until", {"id": "q2"}),
        tells("agent_message_chunk", content={"type": "text", "text": "I "}),
        tells("agent_message_chunk", content={"type": "text", "text": "will."}),
        tells("brand_new"),
        says(id="odd", method="craft/drainMidTurnQueue", params={}),
        says(id="file", method="fs/write_text_file", params={"path": "/etc/x"}),
        ("until", {"id": "file"}),
        ended(3, usage={"inputTokens": 3, "outputTokens": 4}),
    )
    person = Person(rm=Verdict.DENY)

    result = await work(desk, program, person, instructions="Speak like a pirate.")

    assert result.end is AgentEnd.FINISHED, result.reason
    assert (result.summary, result.session) == ("I will.", "s")
    assert (result.cost.input_tokens, result.cost.output_tokens) == (3, 4)
    assert chosen(program) == {"q1": "yes", "q2": "no"}
    errors = {
        said["id"]: said["error"]["code"] for said in program.heard if "error" in said
    }
    assert errors == {"odd": -32601, "file": -32601}
    prompt = next(said for said in program.heard if said.get("id") == 3)
    assert prompt["params"]["prompt"][0]["text"].startswith("Speak like a pirate.\n\n")
    assert [each["text"] for each in desk.events("Message")] == ["I will."]


async def test_what_a_person_has_to_answer_ends_the_turn_until_then(
    desk: AgentDesk,
) -> None:
    program = Scripted(
        desk.folder,
        *hello(),
        *session("default"),
        prompted(2),
        asks(1, "git push"),
        ("until", {"method": "session/cancel"}),
        ended(2, "cancelled"),
    )

    result = await work(desk, program, Person(push=Verdict.ASK))

    assert result.end is AgentEnd.WAITING
    assert result.session == "s"


async def test_a_session_is_loaded_and_told_what_was_answered(desk: AgentDesk) -> None:
    program = Scripted(
        desk.folder,
        *hello(),
        ("until", {"method": "session/load"}),
        tells("agent_message_chunk", content={"type": "text", "text": "Old."}),
        says(id=1, result={}),
        prompted(2),
        ended(2),
    )
    answer = question(ToolCall("1", "Bash", "git push"), Ruling(Verdict.ALLOW))

    result = await work(desk, program, session="s", answered=[answer])

    assert result.end is AgentEnd.FINISHED
    assert result.summary == ""
    prompt = program.heard[-1]["params"]["prompt"][0]["text"]
    assert "- ALLOWED: Bash: git push" in prompt
    assert "Create hello.txt" not in prompt


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        (
            [*hello("new-thing"), *session("yolo", "auto")],
            "none of its modes is known to ask before it works (yolo, auto)",
        ),
        (
            [
                *hello(),
                *session("default"),
                prompted(2),
                tells("current_mode_update", currentModeId="yolo"),
                ("until", {"method": "session/cancel"}),
                ended(2, "cancelled"),
            ],
            "it left the mode in which it asks (default) for yolo",
        ),
        (
            [
                *hello(),
                ("until", {"method": "session/new"}),
                says(
                    id=1, error={"code": -32000, "message": "Authentication required"}
                ),
            ],
            "did not take the key (Authentication required)",
        ),
        (
            [*hello(), *session("default"), prompted(2), ("die", None)],
            "ended with exit code 137 without saying how it went",
        ),
    ],
    ids=["unknown modes", "another mode", "no key", "a crash"],
)
async def test_one_that_cannot_be_trusted_to_ask_or_to_end_fails(
    desk: AgentDesk, steps: list[Step], reason: str
) -> None:
    result = await work(desk, Scripted(desk.folder, *steps))

    assert result.end is AgentEnd.FAILED
    assert reason in result.reason


async def test_one_that_stops_where_it_is_refused_is_told_to_go_on(
    desk: AgentDesk,
) -> None:
    tokens = {"inputTokens": 3, "outputTokens": 4}
    program = Scripted(
        desk.folder,
        *hello(),
        *session("default"),
        prompted(2),
        asks(1, "rm x"),
        ("until", {"id": "q1"}),
        ended(2, usage=tokens),
        prompted(3),
        tells("agent_message_chunk", content={"type": "text", "text": "Well."}),
        ended(3, usage=tokens),
    )

    result = await work(desk, program, Person(rm=Verdict.DENY))

    assert result.end is AgentEnd.FINISHED
    assert result.summary == "Well."
    assert result.cost.output_tokens == 8
    again = program.heard[-1]["params"]["prompt"][0]["text"]
    assert "Bash: rm x" in again
    assert "ada says: about rm" in again


async def test_nothing_is_allowed_for_ever_or_without_an_answer(
    desk: AgentDesk,
) -> None:
    for_ever = [{"optionId": "ever", "kind": "allow_always", "name": "Always"}]
    program = Scripted(
        desk.folder,
        *hello(),
        *session("default"),
        prompted(2),
        asks(1, "make", for_ever),
        ("until", {"method": "session/cancel"}),
        ("until", {"id": "q1"}),
        ended(2, "cancelled"),
    )

    result = await work(desk, program)

    assert result.end is AgentEnd.FAILED
    assert chosen(program) == {"q1": "cancelled"}


async def test_nothing_is_done_where_the_approver_cannot_say(desk: AgentDesk) -> None:
    program = Scripted(
        desk.folder, *hello(), *session("default"), prompted(2), asks(1, "make"),
        ("hang", None),
    )  # fmt: skip

    with pytest.raises(ConnectionError, match="not to be had"):
        await work(desk, program, Lost())

    assert chosen(program) == {}


async def test_one_that_is_not_installed_is_missing(desk: AgentDesk) -> None:
    agent = AcpAgent(OPEN)

    with pytest.raises(AgentMissing, match="install it, or correct"):
        await agent.work(
            desk.assignment(command=("no-such-agent", "--acp")), Never(), Person()
        )
