"""Other real agents in the real server, on scripted models."""

import json
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.fakes.chat_api import chat_api
from tests.fakes.model_api import Say, Use
from tests.fakes.openai_api import openai_api
from tests.journeys.conftest import free_port
from tests.journeys.world import REPOSITORY, Card, World, config, make_world
from tests.runner.real_agents import INSTALL, PATH, PLACE
from vibeboard.runner.agents.codex import INSTALL as INSTALL_CODEX
from vibeboard.runner.agents.codex import find_codex

pytestmark = pytest.mark.real_agent

READER, ANSWERER = "r" * 40, "a" * 40
KEY = "sk-canary-0123456789-abcdefghij-0123456789"
# Later ones take their tools in another form, which the script does not speak.
MODEL = "gpt-5.5"
NAMES = ("gemini", "opencode", "qwen")


@dataclass
class Desk(World):
    """A world whose agent calls a model at one of these addresses."""

    models: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        usual = super().environment()
        for provider, url in self.models.items():
            usual[f"VIBEBOARD_{provider.upper()}_BASE_URL"] = url
            usual[f"VIBEBOARD_{provider.upper()}_API_KEY_FILE"] = str(
                self.home / "model-key"
            )
        seen = f"{usual['VIBEBOARD_SANDBOX_READ']}:{PLACE}"
        path = f"{usual['PATH']}:{PATH}"
        return usual | {"PATH": path, "VIBEBOARD_SANDBOX_READ": seen}

    def tree(self, card: Card) -> Path:
        """Where the agent works on a card."""
        cards = self.home / "data/workspaces/cards" / REPOSITORY
        return cards / str(card.issue.number) / "tree"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    url = f"sqlite:///{tmp_path}/vibeboard.db"
    plain = await make_world(tmp_path, url, free_port(), files={"old.txt": "old\n"})
    (tmp_path / "model-key").write_text(KEY)
    made = Desk(plain.running, plain.home, url, port=plain.port)
    made.settings["hold_seconds"] = "0"
    yield made
    if made.server is not None:
        await made.end()
    await made.running.close()
    assert made.tracebacks() == []


def with_agent(**lines: object) -> str:
    """The usual configuration with another agent in it."""
    text = config()
    begin, end = text.index("agents:"), text.index("stages:\n")
    agent = {**lines, "limits": {"minutes": 2}}
    return f"{text[:begin]}agents: {json.dumps({'scripted': agent})}\n{text[end:]}"


def command(desk: Desk, name: str) -> list[str]:
    """How users start the program, as `docs/how-to/add-an-agent.md` says."""
    program = shutil.which(name, path=PATH)
    if program is None:
        missing(f"{name} is not installed: {INSTALL}")
    assert program is not None
    if name == "gemini":
        return [program, "--acp"]
    if name == "qwen":
        return [program, "--acp", "--auth-type", "openai", "--model", "m"]
    options = {"baseURL": "{env:OPENAI_BASE_URL}", "apiKey": "{env:OPENAI_API_KEY}"}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": options,
        "models": {"m": {"limit": {"context": 200_000, "output": 8000}}},
    }
    models = {"model": "own/m", "small_model": "own/m"}
    named = desk.home / "opencode.json"
    named.write_text(json.dumps({"provider": {"own": provider}, **models}))
    script = desk.home / "opencode"
    script.write_text(f"#!/bin/sh\nOPENCODE_CONFIG={named} exec {program} acp\n")
    script.chmod(0o755)
    return [str(script)]


def shell(line: str) -> Use:
    return Use("exec_command", {"cmd": line})


def writes(name: str, path: str) -> Use:
    if name == "opencode":
        return Use("write", {"filePath": path, "content": "tock\n"})
    return Use("write_file", {"file_path": path, "content": "tock\n"})


@pytest.mark.parametrize("name", NAMES)
async def test_a_card_becomes_a_pull_request(desk: Desk, name: str) -> None:
    agent = with_agent(cli="acp", command=command(desk, name))
    desk.commit_file(".vibe.yml", agent)
    async with chat_api() as api:
        desk.models = {"gemini": api.root, "openai": f"{api.root}/v1"}
        await desk.serve()
        card = desk.card("Add a tock")
        api.script = (
            [Say("I will."), writes(name, f"{desk.tree(card)}/tock.txt")],
            [Say("Added a tock.")],
        )
        card.moved_to("Development")
        await card.reaches("Review")

    pull = card.pull
    assert pull is not None
    assert desk.files(pull.head_sha) >= {"tock.txt", "old.txt"}
    assert "Added a tock." in (pull.body or "")
    assert {path.rpartition(":")[0] or path for path in api.paths} <= {
        "/v1/chat/completions",
        "/v1beta/models/gemini-3.5-flash-lite",
        "/v1beta/models/gemini-3.8-flash",
    }


async def said_no_by_the_api(desk: Desk) -> None:
    no = json.dumps({"allow": False, "note": "We need it."})
    for path, token, body, status in (
        ("/api/questions/q2", "", no, 401),
        ("/api/questions/q2", READER, no, 401),
        ("/api/questions/q9", ANSWERER, no, 404),
        ("/api/questions/q2", ANSWERER, '{"allow": "no"}', 400),
        ("/api/questions/q2", ANSWERER, no, 200),
    ):
        answer = await desk.http(path, token, body)
        assert (answer[0], path) == (status, path), answer[1]


async def test_codex_waits_for_days_and_goes_on_with_what_people_answered(
    desk: Desk,
) -> None:
    if find_codex(PATH) is None:
        missing(f"Codex is not installed: {INSTALL_CODEX}")
    tools = {"ask": ["Bash(rm *)"], "otherwise": "allow"}
    desk.commit_file(".vibe.yml", with_agent(cli="codex", model=MODEL, tools=tools))
    async with openai_api(
        [Say("I will."), shell("echo new > new.txt")],
        [shell("rm old.txt")],
        [shell("rm old.txt")],
        [shell("rm new.txt")],
        [Say("Then I leave it.")],
    ) as api:
        desk.models = {"openai": api.url}
        for name, token in (("api_token", READER), ("api_answer_token", ANSWERER)):
            (desk.home / name).write_text(token)
            desk.settings[f"{name}_file"] = str(desk.home / name)
        await desk.serve()
        card = desk.card("Replace the file")
        card.moved_to("Development")

        await card.replied("### 🙋 May the agent use `Bash`?", "rm old.txt")
        await card.says("🙋 asks people")
        assert desk.children() == []  # nobody is kept waiting
        await desk.end(signal.SIGKILL)
        await desk.serve()
        card.said("/agent approve q1 It was replaced.")
        await card.replied("### 🙋 May the agent use `Bash`?", "rm new.txt")
        await said_no_by_the_api(desk)
        await card.reaches("Review")
        (check,) = desk.checks("vibeboard / develop")
        _, told = await desk.http(f"/api/runs/{check.external_id}", ANSWERER)
        again = await desk.http("/api/questions/q2", ANSWERER, '{"allow": true}')

    asked = json.loads(told)["questions"]
    assert [(one["id"], one["subject"], one["allowed"]) for one in asked] == [
        ("q1", "rm old.txt", True),
        ("q2", "rm new.txt", False),
    ]
    assert again[0] == 409
    pull = card.pull
    assert pull is not None
    files = desk.files(pull.head_sha)
    assert "new.txt" in files
    assert "old.txt" not in files
    assert "We need it." in api.prompts[-1]
    assert set(api.paths) == {"/v1/responses"}
    assert set(api.keys) == {f"Bearer {KEY}"}
