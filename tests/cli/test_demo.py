"""``vibeboard demo``, as people and programs start it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.journeys.world import processes_of

PATIENCE = 60.0


@asynccontextmanager
async def demo(
    *options: str, **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-m", "vibeboard", "demo", *options,
        env={"PATH": os.environ["PATH"], "COLUMNS": "200", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )  # fmt: skip
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def ended(child: asyncio.subprocess.Process) -> tuple[int, str, str]:
    async with asyncio.timeout(PATIENCE):
        out, err = await child.communicate()
    assert b"Traceback" not in err, err.decode()
    return child.returncode or 0, out.decode(), err.decode()


async def line_with(stream: asyncio.StreamReader | None, word: str) -> str:
    assert stream is not None
    async with asyncio.timeout(PATIENCE):
        async for raw in stream:
            if word in (line := raw.decode()):
                return line
    raise AssertionError(f"it ended without saying {word!r}")


def children_of(directory: Path, word: str = "") -> list[int]:
    """Processes of a demo: their settings or arguments name its directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            typed = (entry / "cmdline").read_bytes()
            known = typed + (entry / "environ").read_bytes()
        except OSError:
            continue
        if str(directory).encode() in known and word.encode() in typed:
            found.append(int(entry.name))
    return found


async def test_one_card_unattended(tmp_path: Path) -> None:
    async with demo("--once", "--json", "--directory", str(tmp_path / "demo")) as child:
        code, out, err = await ended(child)

    assert code == 0, err
    result = json.loads(out.splitlines()[-1])
    assert result["card_column"] == "Review"
    assert isinstance(result["pull_request"], int)
    assert result["check_conclusion"] == "success"
    assert result["tests"]["failed"] == 0
    assert result["tests"]["passed"] > 0
    assert result["commits"]
    assert 0 < result["seconds_to_agent_start"] < result["seconds_total"]
    assert result["faults"] == []
    assert "no model is called" in err
    assert children_of(tmp_path) == []


@pytest.mark.thorough
async def test_a_server_that_dies_in_the_middle_is_told(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    async with demo("--once", "--json", "--directory", str(place)) as child:
        await line_with(child.stderr, "the agent works")
        (server,) = children_of(place, "vibeboard\0serve")
        os.kill(server, signal.SIGKILL)
        code, out, err = await ended(child)

    assert code == 1
    faults = json.loads(out.splitlines()[-1])["faults"]
    assert "the server ended" in " ".join(faults)
    assert "the card is in Development, not in Review" in faults
    assert "not in Review" in err
    assert children_of(place) == []


@pytest.mark.thorough
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_the_demo_that_stays_ends_in_order(
    tmp_path: Path, how: signal.Signals
) -> None:
    place = tmp_path / "demo"
    async with demo("--directory", str(place)) as child:
        await line_with(child.stdout, "Ctrl-C ends the demo")
        assert len(children_of(place)) > 2
        child.send_signal(how)
        code, _, _ = await ended(child)

    assert code == 0
    assert children_of(place) == []


@pytest.mark.thorough
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_an_early_end_leaves_nothing_behind(
    tmp_path: Path, how: signal.Signals
) -> None:
    place = tmp_path / "demo"
    async with demo("--once", "--directory", str(place)) as child:
        await line_with(child.stdout, "the agent works")
        child.send_signal(how)
        code, _, _ = await ended(child)

    assert code == 130
    assert children_of(place) == []
    assert not processes_of(str(place))


async def test_a_real_agent_without_a_key_is_told_the_way_out() -> None:
    async with demo("--once", "--agent", "claude") as child:
        code, _, err = await ended(child)

    assert code == 2
    assert "VIBEBOARD_ANTHROPIC_API_KEY_FILE" in err or "pip install" in err


async def test_an_agent_there_is_not() -> None:
    async with demo("--agent", "hal") as child:
        code, _, err = await ended(child)

    assert code == 2
    assert "there is recorded and claude" in err


async def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    async with demo("--directory", str(tmp_path)) as child:
        code, _, err = await ended(child)

    assert code == 2
    assert "is not empty" in err
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert children_of(tmp_path) == []
