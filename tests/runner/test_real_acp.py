"""Real agents of the Agent Client Protocol on a scripted model: that they ask."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.fakes.approver import Person
from tests.fakes.chat_api import ChatApi, chat_api
from tests.fakes.model_api import Say, Turn, Use
from tests.fakes.stop import Never
from tests.runner.agent_desk import AgentDesk, question
from tests.runner.real_agents import INSTALL, PATH
from vibeboard.domain.tools import Ruling, Verdict
from vibeboard.domain.workflow import Cli
from vibeboard.engine.ports import AgentEnd
from vibeboard.runner.agents.acp import AcpAgent
from vibeboard.runner.environment import Environment
from vibeboard.runner.sandbox.cell import Policy, Sandbox

pytestmark = pytest.mark.real_agent


def wrapper(desk: AgentDesk, name: str, api: ChatApi) -> str:
    """A script that hands the program its key, as users write one."""
    config = desk.folder / "opencode.json"
    options = {"baseURL": f"{api.root}/v1", "apiKey": "x"}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": options,
        "models": {"m": {"limit": {"context": 200_000, "output": 8000}}},
    }
    models = {"model": "own/m", "small_model": "own/m"}
    config.write_text(json.dumps({"provider": {"own": provider}, **models}))
    script = {
        "gemini": f"GOOGLE_GEMINI_BASE_URL={api.root} GEMINI_API_KEY=x gemini --acp",
        "opencode": f"OPENCODE_CONFIG={config} opencode acp",
        "qwen": f"OPENAI_BASE_URL={api.root}/v1 OPENAI_API_KEY=x OPENAI_MODEL=m "
        "qwen --acp --auth-type openai",
    }
    path = desk.folder / "agent"
    path.write_text(f"#!/bin/sh\n{script[name]}\n")
    path.chmod(0o755)
    return str(path)


def script(desk: AgentDesk, name: str) -> tuple[Turn, ...]:
    """The same deeds, in the tools that each program has."""
    path, key, write, shell = str(desk.tree / "a.txt"), "file_path", "write_file", ""
    if name == "opencode":
        key, write, shell = "filePath", "write", "bash"

    def run(line: str) -> Use:
        more = {"is_background": False} if name == "qwen" else {}
        given = {"command": line, "description": "to see"} | more
        return Use(shell or "run_shell_command", given)

    return (
        [Say("I will."), Use(write, {key: path, "content": "a\n"})],
        [run("touch denied")],
        [run("touch pushed")],
        [run("touch pushed")],
        [Say("Done.")],
    )


@pytest.mark.parametrize("name", ["gemini", "opencode", "qwen"])
async def test_it_works_asks_and_waits(tmp_path: Path, name: str) -> None:
    if shutil.which(name, path=PATH) is None:
        missing(f"{name} is not installed: {INSTALL}")
    desk = AgentDesk(tmp_path, Cli.ACP)
    person = Person(denied=Verdict.DENY, pushed=Verdict.ASK)
    agent = AcpAgent(Sandbox(Environment(PATH), policy=Policy.OFF), hold=timedelta(0))
    async with chat_api(*script(desk, name)) as api:
        order = desk.assignment(command=(wrapper(desk, name, api),))
        waiting = await agent.work(order, Never(), person)

        assert waiting.end is AgentEnd.WAITING, waiting.reason
        assert (desk.tree / "a.txt").read_text() == "a\n"
        assert not (desk.tree / "denied").exists()
        assert not (desk.tree / "pushed").exists()
        assert person.asked[0].paths == ("a.txt",)
        assert "+a" in person.asked[0].diff
        told = "Execute" if name == "gemini" else "Bash"
        assert [call.tool for call in person.asked] == ["Edit", told, told]
        assert {path.rpartition(":")[0] or path for path in api.paths} <= {
            "/v1/chat/completions",
            "/v1beta/models/gemini-3.5-flash-lite",
            "/v1beta/models/gemini-3.8-flash",
        }
        if name != "qwen":
            return  # one of them shows how a session goes on
        asked = person.asked[-1]
        person.answers = {}
        answer = question(asked, Ruling(Verdict.ALLOW, by="ada"))
        resumed = replace(order, session=waiting.session, answered=(answer,))
        result = await agent.work(resumed, Never(), person)

    assert result.end is AgentEnd.FINISHED, result.reason
    assert (result.summary, result.session) == ("Done.", waiting.session)
    assert person.asked[-1].key == asked.key
    assert (desk.tree / "pushed").exists()
    assert "- ALLOWED: Bash: touch pushed" in api.prompts[-1]
