"""The real Claude Code in the real server, on a scripted model."""

import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.fakes.model_api import ModelApi, Refuse, Say, Stall, Turn, Use, model_api
from tests.journeys.conftest import free_port
from tests.journeys.world import World, config, make_world
from vibeboard.runner.agents.claude import INSTALL, find_claude

pytestmark = pytest.mark.real_agent

KEY = "sk-ant-canary-0123456789-abcdefghij-0123456789"
CLAUDE = """\
agents:
  scripted:
    cli: claude-code
    model: claude-sonnet-4-5
    limits: {minutes: 2, usd: 1}
stages:
"""


def with_claude() -> str:
    text = config()
    begin, end = text.index("agents:"), text.index("stages:\n")
    return text[:begin] + CLAUDE + text[end + len("stages:\n") :]


def writes(name: str, text: str) -> Use:
    return Use("Bash", {"command": f"printf '%s\\n' '{text}' > {name}"})


@dataclass
class Desk(World):
    """A world whose agent is Claude Code; ``api`` is its model."""

    api: ModelApi = field(default_factory=lambda: ModelApi([]))

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "VIBEBOARD_ANTHROPIC_BASE_URL": self.api.url,
            "VIBEBOARD_ANTHROPIC_API_KEY_FILE": str(self.home / "model-key"),
        }

    async def plays(self, *script: Turn) -> None:
        """Give the model its script and start the server."""
        self.api.script = script
        await self.serve()

    def leaks(self) -> list[str]:
        """Everywhere the key went, besides its own file and the API."""
        said = [c.body for i in self.repository.issues.values() for c in i.comments]
        texts = {
            "log": "\n".join(self.log),
            "comments": "\n".join(said),
            "bodies": "\n".join(i.body or "" for i in self.repository.issues.values()),
            "prompts": "\n".join(self.api.prompts),
        }
        for path in self.home.rglob("*"):
            if path.is_file() and path.name != "model-key":
                texts[str(path)] = path.read_bytes().decode(errors="replace")
        return [where for where, text in texts.items() if KEY in text]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    if find_claude("") is None:
        missing(f"Claude Code is not installed: {INSTALL}")
    url = f"sqlite:///{tmp_path}/vibeboard.db"
    files = {".vibe.yml": with_claude()}
    plain = await make_world(tmp_path, url, free_port(), files=files)
    (tmp_path / "model-key").write_text(KEY)
    async with model_api() as api:
        made = Desk(plain.running, plain.home, url, port=plain.port, api=api)
        yield made
        if made.server is not None:
            await made.end()
        await made.running.close()
        assert made.tracebacks() == []


async def test_a_card_becomes_a_pull_request_and_a_review_goes_on_in_the_session(
    desk: Desk,
) -> None:
    await desk.plays(
        [Say("I will."), writes("tock.txt", "tock")],
        [Say("Added a tock.")],
        [writes("more.txt", "more")],
        [Say("Added more.")],
    )
    card = desk.card("Add a tock")

    card.moved_to("Development")
    await card.reaches("Review")

    pull = card.pull
    assert pull is not None
    assert "tock.txt" in desk.files(pull.head_sha)
    assert "Added a tock." in (pull.body or "")
    for told in (pull.body or "", await card.says("✅ done")):
        assert "$" in told
        assert "tokens · 2 turns" in told
    assert set(desk.api.paths) <= {"/v1/messages", "/v1/messages/count_tokens"}
    assert set(desk.api.keys) == {KEY}
    first, asked = pull.head_sha, len(desk.api.prompts)

    desk.reviewed(pull, "tock.txt", 1, "Add more, please.", by="bob")
    await desk.until(lambda: pull.head_sha != first, "a second commit")
    await desk.until(
        lambda: len(desk.checks("vibeboard / develop")) == 2, "a second check"
    )

    assert {"tock.txt", "more.txt"} < desk.files(pull.head_sha)
    history = desk.api.prompts[-1]
    assert "Added a tock." in history  # what the first run said
    assert "Add more, please." in history
    assert len(desk.api.prompts) == 2 * asked
    assert desk.leaks() == []


async def test_an_agent_that_reaches_its_budget_is_parked_with_its_work_saved(
    desk: Desk,
) -> None:
    desk.commit_file(".vibe.yml", with_claude().replace("usd: 1}", "usd: 0.001}"))
    await desk.plays(
        [Say("I will."), writes("half.txt", "half")],
        [writes("more.txt", "more")],
        [writes("all.txt", "all")],
        [Say("Done.")],
    )
    card = desk.card("Work for ever")

    card.moved_to("Development")
    await card.reaches("Attention")

    shown = await card.says("💰 out of budget", "The work is saved on branch")
    assert "has used what one run may use: $0.00" in shown
    assert "of $0.0010 (`limits: {usd: …}`" in shown
    files = desk.files(f"vibe/{card.issue.number}-work-for-ever")
    assert "half.txt" in files
    assert "all.txt" not in files
    assert card.pull is None
    assert not [c for c in desk.checks("vibeboard / develop") if c.conclusion]


async def test_a_refused_key_fails_the_run_at_once_with_the_reason(desk: Desk) -> None:
    await desk.plays(Refuse(401, "authentication_error"))
    card = desk.card("Add a tock")

    card.moved_to("Development")
    await card.reaches("Attention")

    shown = await card.says("❌ failed", "401")
    assert "did not take the key" in shown or "answered 401" in shown
    assert len(desk.api.paths) <= 4  # not ten times over minutes
    assert card.pull is None
    assert desk.leaks() == []


@pytest.mark.thorough
async def test_an_agent_killed_with_its_server_begins_again_on_a_clean_tree(
    desk: Desk,
) -> None:
    stall = Stall([Say("Added a tock.")])
    await desk.plays([writes("tock.txt", "tock")], stall)
    card = desk.card("Add a tock")
    card.moved_to("Development")
    await desk.until(lambda: len(desk.api.prompts) > 1, "a model that is silent")
    assert desk.wrote("tock.txt")

    await desk.end(signal.SIGKILL)
    await desk.until(lambda: not desk.children(), "no agent without a server")
    stall.over.set()
    await desk.serve()
    await card.reaches("Review")

    pull = card.pull
    assert pull is not None
    assert "tock.txt" in desk.files(pull.head_sha)
    assert "attempt 2" in await card.says("✅ done")
    assert desk.leaks() == []


@pytest.mark.thorough
async def test_a_model_that_says_nothing_costs_the_run_its_time_and_no_work(
    desk: Desk,
) -> None:
    desk.commit_file(".vibe.yml", with_claude().replace("minutes: 2", "minutes: 0.1"))
    await desk.plays([writes("half.txt", "half")], Stall([Say("Too late.")]))
    card = desk.card("Add a tock")

    card.moved_to("Development")
    await card.reaches("Attention")

    await card.says("⌛ out of time", "The work is saved on branch")
    assert "half.txt" in desk.files(f"vibe/{card.issue.number}-add-a-tock")
    assert desk.children() == []


@pytest.mark.thorough
async def test_the_demo_with_a_real_agent(desk: Desk) -> None:
    fixed = (
        "import re,pathlib as p; f = p.Path('timebox/words.py'); "
        "f.write_text(f.read_text() + '\\n# longer words\\n')"
    )
    desk.api.script = [
        [Use("Bash", {"command": f'python3 -c "{fixed}"'})],
        [Say("Said so.")],
    ]

    code, out, err = await desk.vibeboard(
        "demo", "--once", "--json", "--agent", "claude"
    )

    result = json.loads(out.splitlines()[-1])
    assert code == 0, (result["faults"], err)
    assert result["card_column"] == "Review"
    assert "no model is called" not in err
    assert KEY not in out + err
    assert set(desk.api.keys) == {KEY}
