"""Cells where bubblewrap does not work: weaker, and said to be."""

import os
import socket
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.runner.cells import Place
from vibeboard.runner.environment import Environment
from vibeboard.runner.sandbox import confine
from vibeboard.runner.sandbox.cell import Kind, Reach, Sandbox
from vibeboard.runner.sandbox.view import View


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH without bubblewrap."""
    if not confine.version():
        missing("this kernel has no Landlock: Linux 5.13 or newer, with lsm=…,landlock")
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("bash", "cat", "ls", "touch", "sleep", "kill"):
        (folder / name).symlink_to(f"/usr/bin/{name}")
    return folder


async def test_files_and_signals_are_held_and_the_rest_is_said(
    tmp_path: Path, programs: Path
) -> None:
    seen = tmp_path / "seen"
    (seen / "data").mkdir(parents=True)
    (seen / "tool").write_text("a tool")
    (seen / "data" / "vibeboard.db").write_text("canary")
    (tmp_path / "beside").write_text("canary")
    path = str(programs)
    view = View(path, more=(seen,), hidden=(seen / "data",))
    place = Place(tmp_path / "card", Sandbox(Environment(path), view=view))
    listening = socket.socket(socket.AF_UNIX)
    listening.bind("\0" + str(tmp_path))
    listening.listen()

    tried = await place.python(
        "import os, socket, subprocess, sys\n"
        "def tried(what):\n"
        "    try: return str(what())\n"
        "    except OSError as error: return type(error).__name__\n"
        f"for path in ({str(seen / 'tool')!r}, {str(seen / 'data/vibeboard.db')!r},\n"
        f"             {str(tmp_path / 'beside')!r}, '/proc/{os.getpid()}/environ',\n"
        "             '/etc/shadow'):\n"
        "    print(tried(lambda: open(path).read()))\n"
        f"print(tried(lambda: open({str(tmp_path / 'beside')!r}, 'w')))\n"
        "print(tried(lambda: os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)))\n"
        "for device in ('sda', 'vda', 'nvme0n1', 'mem', 'kmsg', 'shm'):\n"
        "    if os.path.exists('/dev/' + device):\n"
        "        print(tried(lambda: os.open('/dev/' + device, os.O_RDONLY)))\n"
        "open('/dev/null', 'w').write('x')\n"
        f"print(tried(lambda: os.kill({os.getpid()}, 0)))\n"
        "there = socket.socket(socket.AF_UNIX)\n"
        f"print(tried(lambda: there.connect('\\0' + {str(tmp_path)!r})))\n"
        "for folder in (os.getcwd(), os.environ['HOME'], os.environ['TMPDIR']):\n"
        "    open(os.path.join(folder, 'x'), 'w').write('mine')\n"
        "print(subprocess.run(['cat', 'x'], capture_output=True).stdout)\n"
    )
    listening.close()

    assert tried.kind is Kind.LANDLOCK
    assert tried.ended.exit_code == 0, tried.out
    tool, *refused, mine = tried.out.splitlines()
    assert (tool, mine) == ("a tool", "b'mine'")
    assert set(refused) == {"PermissionError"}
    (note,) = tried.notes
    assert note == (
        "This ran in a weaker sandbox: files are held back, the network and what "
        "other processes are called are not (bubblewrap is not installed)."
    )
    assert (tmp_path / "beside").read_text() == "canary"


async def test_a_list_of_hosts_that_cannot_be_kept_to_is_said(
    tmp_path: Path, programs: Path
) -> None:
    place = Place(tmp_path / "card", Sandbox(Environment(str(programs))))

    tried = await place.shell("exit 3", reach=Reach(hosts=("example.org",)))

    assert tried.ended.exit_code == 3
    assert any("every host is in reach" in note for note in tried.notes)


async def test_a_missing_program_is_told_there_too(
    tmp_path: Path, programs: Path
) -> None:
    place = Place(tmp_path / "card", Sandbox(Environment(str(programs))))

    tried = await place.tries(["no-such-program"])

    assert tried.ended.exit_code == 127
