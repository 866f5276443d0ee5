"""Any program as an agent, with real processes."""

import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes.approver import Lets
from tests.fakes.stop import Never, Stop
from vibeboard.domain.workflow import Agent, Cli
from vibeboard.engine.ports import AgentEnd, AgentResult, Assignment
from vibeboard.errors import AgentMissing
from vibeboard.runner.agents.command import CommandAgent
from vibeboard.runner.environment import Environment
from vibeboard.runner.sandbox.cell import Sandbox


class Desk:
    """A tree to work in and a shell as the agent."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.tree.mkdir()
        self.home = folder / "home"
        self.log = folder / "run.log"

    async def work(
        self,
        *command: str,
        prompt: str = "Fix the clock",
        limit: float = 60,
        stop: Never | Stop | None = None,
    ) -> AgentResult:
        agent = Agent("own", Cli.COMMAND, command, time_limit=timedelta(seconds=limit))
        assignment = Assignment("run-1", agent, prompt, self.tree, self.home, self.log)
        path = os.environ["PATH"]
        result = await CommandAgent(Sandbox(Environment(path))).work(
            assignment, stop or Never(), Lets()
        )
        return replace(result, notes=())  # of machines without a full sandbox

    async def shell(self, script: str, **how: object) -> AgentResult:
        return await self.work("bash", "-c", script, **how)  # type: ignore[arg-type]  # passed on


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_it_gets_the_prompt_twice_and_works_in_the_tree(desk: Desk) -> None:
    result = await desk.shell('cat > in; cp "$VIBE_PROMPT_FILE" file; echo "$VIBE_RUN"')

    assert result == AgentResult(AgentEnd.FINISHED, summary="run-1")
    assert (desk.tree / "in").read_text() == "Fix the clock"
    assert (desk.tree / "file").read_text() == "Fix the clock"
    assert desk.log.read_text() == "run-1\n"


async def test_it_knows_nothing_of_our_environment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "canary")

    await desk.work("env")

    names = {line.split("=")[0] for line in desk.log.read_text().splitlines()}
    assert names == {"PATH", "HOME", "LANG", "TMPDIR", "VIBE_RUN", "VIBE_PROMPT_FILE"}


async def test_a_summary_it_hands_over_goes_before_what_it_printed(
    desk: Desk,
) -> None:
    result = await desk.shell(
        "mkdir -p .vibe/out; echo '# Done' > .vibe/out/summary.md; echo noise"
    )

    assert result.summary == "# Done\n"


async def test_the_last_lines_are_the_summary_otherwise(desk: Desk) -> None:
    result = await desk.shell("seq 1 100; echo; echo last; echo")

    assert result.summary.splitlines()[-2:] == ["100", "last"]
    assert len(result.summary.splitlines()) == 20


async def test_one_that_says_and_does_nothing_has_finished(desk: Desk) -> None:
    assert await desk.shell("true") == AgentResult(AgentEnd.FINISHED)


async def test_one_that_fails_tells_its_last_complaint(desk: Desk) -> None:
    result = await desk.shell("echo working; echo no key >&2; exit 3")

    assert result.end is AgentEnd.FAILED
    assert result.reason == "bash ended with exit code 3: no key"
    assert "no key" in desk.log.read_text()


async def test_garbage_and_gigabytes_do_no_harm(desk: Desk) -> None:
    result = await desk.shell(
        "head -c 200000 /dev/urandom; yes | head -c 100000000 | tr '\\n' y"
    )

    assert result.end is AgentEnd.FINISHED
    assert desk.log.stat().st_size < (64 << 20) + 100
    assert desk.log.read_bytes().endswith(
        b"[cut here: the log reached 67108864 bytes]\n"
    )


async def test_its_time_ends(desk: Desk) -> None:
    result = await desk.shell("sleep 600", limit=0.3)

    assert result.end is AgentEnd.TIMED_OUT
    assert result.reason == "it reached its limit of 0.005 minutes"


async def test_it_is_stopped_before_its_end(desk: Desk) -> None:
    stop = Stop()
    stop.ask()

    result = await desk.shell("sleep 600", stop=stop)

    assert result.end is AgentEnd.STOPPED


@pytest.mark.parametrize("name", ["no-such-agent", "./no-such-agent", ""])
async def test_one_that_is_not_installed_is_missing(desk: Desk, name: str) -> None:
    with pytest.raises(AgentMissing, match="install it, or correct"):
        await desk.work(name)


async def test_a_program_of_the_repository_can_be_the_agent(desk: Desk) -> None:
    script = desk.tree / "agent.py"
    script.write_text(f"#!{sys.executable}\nprint('mine')\n")
    script.chmod(0o755)

    assert (await desk.work("./agent.py")).summary == "mine"
