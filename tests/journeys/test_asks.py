"""An agent asks people, and the run waits for them without a process."""

import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localhub import checks
from localhub.state import CheckRun
from tests.conftest import missing
from tests.fakes.model_api import Say, Use, model_api
from tests.journeys.conftest import free_port
from tests.journeys.test_real_claude import KEY, Desk, with_claude, writes
from tests.journeys.world import make_world, processes_of
from vibeboard.runner.agents.claude import INSTALL, find_claude

pytestmark = pytest.mark.real_agent

ASKING = with_claude().replace(
    "    limits: {minutes: 2, usd: 1}\n",
    "    limits: {minutes: 2, usd: 1}\n"
    '    tools: {ask: ["Bash(rm *)"], otherwise: allow}\n',
)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    if find_claude("") is None:
        missing(f"Claude Code is not installed: {INSTALL}")
    url = f"sqlite:///{tmp_path}/vibeboard.db"
    plain = await make_world(
        tmp_path, url, free_port(), files={".vibe.yml": ASKING, "old.txt": "old\n"}
    )
    (tmp_path / "model-key").write_text(KEY)
    async with model_api() as api:
        made = Desk(plain.running, plain.home, url, port=plain.port, api=api)
        made.settings["hold_seconds"] = "0"
        yield made
        if made.server is not None:
            await made.end()
        await made.running.close()
        assert made.tracebacks() == []


def removes(name: str) -> Use:
    return Use("Bash", {"command": f"rm {name}", "description": "It is not used."})


def question_check(desk: Desk) -> CheckRun | None:
    runs = [run for suite in desk.repository.check_suites for run in suite.runs]
    return next((run for run in runs if run.name == "vibeboard / asks"), None)


async def test_what_a_rule_asks_about_waits_for_people_over_a_restart(
    desk: Desk,
) -> None:
    await desk.plays(
        [writes("new.txt", "new")],
        [removes("old.txt")],
        [Say("Replaced the file.")],
        [removes("new.txt")],
        [Say("Then I leave it.")],
    )
    card = desk.card("Replace the file")
    card.moved_to("Development")

    await card.replied("### 🙋 May the agent use `Bash`?", "@alice", "rm old.txt")
    await card.says("🙋 asks people")
    await desk.until(
        lambda: not processes_of(str(desk.home / "data")), "no agent's process"
    )
    await desk.end(signal.SIGKILL)
    await desk.serve()
    card.said("/agent approve q1 It was replaced.")

    await card.reaches("Review")
    pull = card.pull
    assert pull is not None
    assert "old.txt" not in desk.files(pull.head_sha)
    assert "new.txt" in desk.files(pull.head_sha)
    await card.replied("### ✅ Allowed: `Bash`", "It was replaced.")
    assert "attempt 2" in await card.says("✅ done")

    # The next turn asks on the pull request, with buttons; one of them says no.
    card.said("/agent develop Remove the new one, too.")
    await card.replied("rm new.txt", "`/agent approve q2`")
    await desk.until(lambda: question_check(desk) is not None, "the check that asks")
    asking = question_check(desk)
    assert asking is not None
    assert asking.conclusion == "action_required"
    refuse = next(one for one in asking.actions if one["label"] == "Refuse")
    checks.press(desk.hub, asking, refuse["identifier"], actor=desk.user("alice"))

    await card.replied("### 🚫 Refused: `Bash`", "q2")
    await desk.until(lambda: asking.conclusion == "neutral", "the check is answered")
    await desk.until(lambda: len(card.tracking()) == 2, "a second run")
    await card.says("✅ done")
    assert "new.txt" in desk.files(pull.head_sha)
    assert set(desk.api.paths) <= {"/v1/messages", "/v1/messages/count_tokens"}


@pytest.mark.thorough
async def test_a_waiting_run_is_stopped_and_its_work_is_saved(desk: Desk) -> None:
    await desk.plays([writes("new.txt", "new")], [removes("old.txt")], [Say("Done.")])
    card = desk.card("Replace the file")
    card.moved_to("Development")
    await card.says("🙋 asks people")

    card.moved_to("Backlog")

    told = await card.says("✋ stopped", "The work is saved on branch")
    saved = re.search(r"on branch `(.+?)`", told)
    assert saved is not None
    assert "new.txt" in desk.files(saved[1])
    card.said("/agent approve q1")
    await card.replied("no agent on this card asked `q1`")
