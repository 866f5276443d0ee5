"""The real Codex on a scripted model: what it does to a tree, and asks for."""

import asyncio
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.fakes.approver import Person
from tests.fakes.model_api import Refuse, Say, Turn, Use
from tests.fakes.openai_api import OpenAiApi, openai_api
from tests.fakes.stop import Never, Stop
from tests.runner.agent_desk import AgentDesk, question
from vibeboard.domain.tools import Ruling, Verdict
from vibeboard.domain.workflow import Cli
from vibeboard.engine.ports import AgentEnd, Assignment
from vibeboard.runner.agents.codex import INSTALL, CodexAgent, find_codex
from vibeboard.runner.environment import Environment
from vibeboard.runner.gateway.apis import Account, Provider
from vibeboard.runner.sandbox.cell import Sandbox

PATH = os.environ["PATH"]
# Later ones take their tools in another form, which the script does not speak.
MODEL = "gpt-5.5"

pytestmark = pytest.mark.real_agent


@pytest.fixture
def desk(tmp_path: Path) -> AgentDesk:
    if find_codex(PATH) is None:
        missing(f"Codex is not installed: {INSTALL}")
    return AgentDesk(tmp_path, Cli.CODEX)


def codex(api: OpenAiApi) -> CodexAgent:
    account = Account(Provider.OPENAI, api.url, "sk-canary")
    sandbox = Sandbox(Environment(PATH), accounts=[account])
    return CodexAgent(sandbox, program=find_codex(PATH), retries=1, hold=timedelta(0))


def shell(line: str) -> Use:
    return Use("exec_command", {"cmd": line})


def patch(*lines: str) -> Use:
    whole = ["*** Begin Patch", *lines, "*** End Patch"]
    return Use("apply_patch", {"raw": "\n".join(whole)})


def ordered(desk: AgentDesk, prompt: str = "Create hello.txt") -> Assignment:
    return desk.assignment(prompt, model=MODEL, instructions="Speak like a pirate.")


async def test_it_works_asks_and_waits_for_people_across_processes(
    desk: AgentDesk,
) -> None:
    person = Person(rm=Verdict.DENY, push=Verdict.ASK)
    script: tuple[Turn, ...] = (
        [Say("I will."), patch("*** Add File: a.txt", "+a")],
        [shell("env > env.txt; touch by-shell")],
        [shell("rm README.md")],
        [shell("touch pushed")],
        [shell("touch pushed")],
        [Say("Done.")],
    )
    (desk.tree / "README.md").write_text("x")
    async with openai_api(*script) as api:
        waiting = await codex(api).work(ordered(desk), Never(), person)
        assert not (desk.tree / "pushed").exists()
        asked = person.asked[-1]
        person.answers = {}
        resumed = replace(
            ordered(desk),
            session=waiting.session,
            answered=(question(asked, Ruling(Verdict.ALLOW, by="ada")),),
        )
        result = await codex(api).work(resumed, Never(), person)

    assert waiting.end is AgentEnd.WAITING, waiting.reason
    assert result.end is AgentEnd.FINISHED, result.reason
    assert result.summary == "Done."
    assert result.session == waiting.session
    assert [call.tool for call in person.asked] == ["Edit", *["Bash"] * 4]
    assert person.asked[0].paths == ("a.txt",)
    assert "a" in person.asked[0].diff
    assert person.asked[-1].key == asked.key
    assert (desk.tree / "a.txt").read_text() == "a\n"
    assert (desk.tree / "README.md").exists()
    assert (desk.tree / "pushed").exists()
    seen = (desk.tree / "env.txt").read_text()
    assert "sk-canary" not in seen
    assert "PYTEST" not in seen
    assert set(api.paths) == {"/v1/responses"}
    assert set(api.keys) == {"Bearer sk-canary"}
    assert "pirate" in api.prompts[0]
    assert "- ALLOWED: Bash: touch pushed" in api.prompts[-1]
    assert (waiting.cost.turns, waiting.cost.output_tokens) == (4, 100)
    assert (result.cost.turns, result.cost.output_tokens) == (2, 50)


async def test_a_key_that_is_refused_ends_it_at_once(desk: AgentDesk) -> None:
    async with openai_api(Refuse(401)) as api:
        result = await codex(api).work(ordered(desk), Never(), Person())

    assert result.end is AgentEnd.FAILED
    assert result.reason == "the model's API did not take the key (401)"
    assert len(api.paths) <= 2


async def test_a_thread_that_is_lost_begins_anew_and_stopping_ends_its_shell(
    desk: AgentDesk,
) -> None:
    stop = Stop()
    os.mkfifo(desk.tree / "ready")
    lost = replace(ordered(desk), session="01a1fc53-2858-7be1-ab9b-8279e0d5fca0")
    async with openai_api([shell("echo x > ready; sleep 600")], [Say("Never.")]) as api:

        async def ask_when_it_works() -> None:
            await asyncio.to_thread((desk.tree / "ready").read_text)
            stop.ask()

        async with asyncio.TaskGroup() as group:
            group.create_task(ask_when_it_works())
            result = await codex(api).work(lost, stop, Person())

    assert result.end is AgentEnd.STOPPED
    assert result.session not in (None, lost.session)
    assert result.cost.output_tokens == 25
