"""The real Claude Code on a scripted model: what it does to a tree, and asks for."""

import asyncio
import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.approver import Lets, Person
from tests.fakes.model_api import ModelApi, Refuse, Say, Use, model_api
from tests.fakes.stop import Never, Stop
from tests.runner.agent_desk import question
from vibeboard.domain.tools import DEFAULT, Ruling, Verdict
from vibeboard.domain.workflow import Agent, Cli
from vibeboard.engine.approvals import ByRules
from vibeboard.engine.ports import (
    AgentEnd,
    AgentResult,
    Assignment,
    Spending,
    Unbounded,
    Usage,
)
from vibeboard.runner.agents.claude import INSTALL, ClaudeAgent, find_claude
from vibeboard.runner.agents.events import events_of
from vibeboard.runner.environment import Environment
from vibeboard.runner.gateway.apis import Account, Provider
from vibeboard.runner.sandbox.cell import Policy, Sandbox

PATH = os.environ["PATH"]

pytestmark = pytest.mark.real_agent


class Desk:
    """A tree to work in and the agent that works in it."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.tree.mkdir()
        self.home = folder / "home"
        self.log = folder / "run.log"

        self.sandbox: dict[str, Any] = {}
        self.spending: Spending = Unbounded()

    def agent(
        self,
        api: ModelApi,
        retries: int = 1,
        *,
        hold: timedelta = timedelta(minutes=1),
    ) -> ClaudeAgent:
        account = Account(Provider.ANTHROPIC, api.url, "sk-canary")
        path = self.sandbox.pop("path", PATH)
        sandbox = Sandbox(Environment(path), accounts=[account], **self.sandbox)
        return ClaudeAgent(
            sandbox, program=find_claude(PATH), retries=retries, hold=hold
        )

    def assignment(
        self,
        prompt: str = "Create hello.txt",
        session: str | None = None,
        attempt: int = 1,
        turns: int | None = None,
    ) -> Assignment:
        return Assignment(
            run="run-1",
            agent=Agent("claude", Cli.CLAUDE_CODE, turns=turns),
            prompt=prompt,
            tree=self.tree,
            home=self.home,
            log=self.log,
            session=session,
            attempt=attempt,
            spending=self.spending,
        )

    async def work(self, api: ModelApi, **wanted: object) -> AgentResult:
        assignment = self.assignment(**wanted)  # type: ignore[arg-type]  # one caller's
        return await self.agent(api).work(assignment, Never(), ByRules(DEFAULT.judge))

    def events(self) -> list[str]:
        lines = events_of(self.log).read_text().splitlines()
        return [json.loads(line)["event"] for line in lines]


class SpentAfter:
    """Bounds a run to some answers of models."""

    def __init__(self, most: int) -> None:
        self.answers = 0
        self.tokens = 0
        self._most = most

    def used(self, model: str, usage: Usage) -> None:
        assert model
        self.answers += 1
        self.tokens += usage.input + usage.output

    def exhausted(self) -> str | None:
        spent = self.answers >= self._most
        return "the run has used what it may" if spent else None


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    if find_claude(PATH) is None:
        message = f"Claude Code is not installed: {INSTALL}"
        if os.environ.get("VIBEBOARD_REFUSE_SKIPS"):
            pytest.fail(message)
        pytest.skip(message)
    return Desk(tmp_path)


def writes(desk: Desk, name: str, text: str) -> Use:
    return Use("Write", {"file_path": str(desk.tree / name), "content": text})


async def test_it_edits_the_tree_and_says_what_it_did(desk: Desk) -> None:
    async with model_api(
        [Say("I will."), writes(desk, "hello.txt", "hello\n")],
        [Use("Bash", {"command": "env > env.txt; touch by-shell"})],
        [Say("Done: created hello.txt.")],
    ) as api:
        result = await desk.work(api, prompt="Create \N{WAVING HAND SIGN}.txt")

    assert result.end is AgentEnd.FINISHED, result.reason
    assert result.summary == "Done: created hello.txt."
    assert (desk.tree / "hello.txt").read_text() == "hello\n"
    assert (desk.tree / "by-shell").exists()
    assert result.cost.turns == 3
    assert (result.cost.usd or 0) > 0
    assert set(api.paths) <= {"/v1/messages", "/v1/messages/count_tokens"}
    assert set(api.keys) == {"sk-canary"}
    assert "\\ud83d\\udc4b" in api.prompts[0]
    assert "ToolFinished" in desk.events()
    assert desk.events()[-1] == "Finished"
    seen = (desk.tree / "env.txt").read_text()
    assert f"HOME={desk.home}" in seen
    assert "PYTEST" not in seen
    assert "sk-canary" not in seen


@pytest.mark.parametrize("kind", ["landlock", "none"])
async def test_it_works_where_the_sandbox_is_weaker_and_says_so(
    desk: Desk, kind: str
) -> None:
    if kind == "none":
        desk.sandbox["policy"] = Policy.OFF
    else:
        desk.sandbox["path"] = "/usr/sbin"  # where bubblewrap is not
    async with model_api(
        [Use("Bash", {"command": "env > env.txt"})], [Say("Done.")]
    ) as api:
        result = await desk.work(api)

    assert result.end is AgentEnd.FINISHED, result.reason
    assert set(api.keys) == {"sk-canary"}
    assert "sk-canary" not in (desk.tree / "env.txt").read_text()
    assert len(result.notes) == 1


async def test_when_no_more_may_be_used_it_ends_at_once_with_that_reason(
    desk: Desk,
) -> None:
    """Most errors are tried again for minutes; this one is not."""
    spent = desk.spending = SpentAfter(2)
    async with model_api(
        [writes(desk, "a", "a")], [writes(desk, "b", "b")], [writes(desk, "c", "c")]
    ) as api:
        agent = desk.agent(api, retries=10)
        result = await agent.work(desk.assignment(), Never(), Lets())

    assert result.end is AgentEnd.FAILED
    assert "the run has used what it may" in result.reason
    assert sorted(path.name for path in desk.tree.iterdir()) == ["a", "b"]
    assert spent.answers == len(api.paths) == 2
    assert spent.tokens == 2 * (100 + 25)


async def test_a_session_is_continued_and_only_the_difference_is_paid(
    desk: Desk,
) -> None:
    async with model_api([Say("One.")], [Say("Two.")]) as api:
        first = await desk.work(api, prompt="one")
        second = await desk.work(api, prompt="two", session=first.session)

    assert second.end is AgentEnd.FINISHED, second.reason
    assert second.summary == "Two."
    assert second.session == first.session
    assert second.cost.output_tokens == first.cost.output_tokens
    assert "one" in api.prompts[-1]


async def test_a_session_that_is_lost_begins_anew(desk: Desk) -> None:
    lost = "11111111-2222-3333-4444-555555555555"
    async with model_api([Say("Anew.")]) as api:
        result = await desk.work(api, session=lost)

    assert result.end is AgentEnd.FINISHED, result.reason
    assert result.summary == "Anew."
    assert result.session not in (None, lost)


async def test_settings_of_the_repository_are_shut_out(desk: Desk) -> None:
    trap = {"hooks": [{"type": "command", "command": f"touch {desk.tree}/trapped"}]}
    (desk.tree / ".claude").mkdir()
    (desk.tree / ".claude" / "settings.json").write_text(
        json.dumps(
            {
                "env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"},
                "hooks": {"SessionStart": [trap], "UserPromptSubmit": [trap]},
            }
        )
    )
    (desk.tree / ".mcp.json").write_text(
        json.dumps(
            {"mcpServers": {"x": {"command": "touch", "args": ["trapped-by-server"]}}}
        )
    )
    async with model_api([Say("Fine.")]) as api:
        result = await desk.work(api)

    assert result.end is AgentEnd.FINISHED, result.reason
    assert sorted(path.name for path in desk.tree.iterdir()) == [
        ".claude",
        ".mcp.json",
    ]


async def test_tools_are_denied_and_wait_for_people_across_processes(
    desk: Desk,
) -> None:
    outside = desk.tree.parent / "outside.txt"
    person = Person(Write=Verdict.DENY, push=Verdict.ASK)
    async with model_api(
        [Use("Write", {"file_path": str(outside), "content": "x"})],
        [Use("Bash", {"command": "touch pushed # push", "description": "push it"})],
        [Say("Pushed.")],
    ) as api:
        agent = desk.agent(api, hold=timedelta(0))
        assignment = replace(desk.assignment(), instructions="Speak like a pirate.")
        waiting = await agent.work(assignment, Never(), person)
        assert not (desk.tree / "pushed").exists()
        person.answers = {}
        asked = person.asked[-1]
        answer = question(asked, Ruling(Verdict.ALLOW, by="ada"))
        resumed = replace(assignment, session=waiting.session, answered=(answer,))
        result = await agent.work(resumed, Never(), person)

    assert waiting.end is AgentEnd.WAITING, waiting.reason
    assert result.end is AgentEnd.FINISHED, result.reason
    assert person.asked[-1].id == asked.id
    assert (asked.subject, asked.why) == ("touch pushed # push", "push it")
    assert not outside.exists()
    assert (desk.tree / "pushed").exists()
    assert "ada says: about Write" in api.prompts[1]
    assert "pirate" in api.systems[0]
    assert "pirate" in api.systems[-1]
    assert (waiting.cost.usd or 0) > (result.cost.usd or 0) > 0


async def test_its_limit_of_turns_is_a_failure_with_that_reason(desk: Desk) -> None:
    async with model_api([writes(desk, "a", "a")], [writes(desk, "b", "b")]) as api:
        result = await desk.work(api, turns=1)

    assert result.end is AgentEnd.FAILED
    assert "limit of turns" in result.reason


@pytest.mark.parametrize("status", [401, 529])
async def test_an_api_that_refuses_is_a_failure_with_its_answer(
    desk: Desk, status: int
) -> None:
    async with model_api(Refuse(status)) as api:
        result = await desk.work(api)

    assert result.end is AgentEnd.FAILED
    assert str(status) in result.reason
    assert len(api.paths) <= 3


async def test_stopping_ends_it_with_its_shell(desk: Desk) -> None:
    stop = Stop()
    os.mkfifo(desk.tree / "ready")
    waiting = "import time; open('ready', 'w').write('x'); time.sleep(600)"
    async with model_api(
        [Use("Bash", {"command": f'python3 -c "{waiting}"'})], [Say("Never.")]
    ) as api:

        async def ask_when_it_works() -> None:
            await asyncio.to_thread((desk.tree / "ready").read_text)
            stop.ask()

        async with asyncio.TaskGroup() as group:
            group.create_task(ask_when_it_works())
            result = await desk.agent(api).work(desk.assignment(), stop, Lets())

    assert result.end is AgentEnd.STOPPED
    assert result.session is not None
