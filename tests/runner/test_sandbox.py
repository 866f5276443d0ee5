"""Full cells, as bubblewrap makes them."""

import asyncio
import json
import os
import socket
from pathlib import Path

import pytest

from tests.fakes.stop import Stop
from tests.runner.cells import PATH, Place, need_bubblewrap
from tests.runner.children import working_in
from vibeboard.errors import SandboxMissing
from vibeboard.runner.environment import Environment
from vibeboard.runner.process import How
from vibeboard.runner.sandbox.cell import Kind, Policy, Reach, Sandbox
from vibeboard.runner.sandbox.view import View

PROBE = """\
import json, os, socket, sys

def tried(what):
    try:
        return str(what())
    except OSError as error:
        return type(error).__name__

def opened(path, how):
    os.close(os.open(path, how))
    return "opened"

def connected(family, kind, where):
    with socket.socket(family, kind) as there:
        there.settimeout(3)
        there.connect(where)
        there.send(b"hello")
    return "connected"

asked = json.loads(sys.argv[1])
own = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(json.dumps({
    "uid": os.getuid(),
    "rights": int(own["CapEff"], 16) | int(own["CapBnd"], 16),
    "no_new": own["NoNewPrivs"].strip(),
    "processes": sum(name.isdecimal() for name in os.listdir("/proc")),
    "first": open("/proc/1/environ").read(),
    "read": {path: tried(lambda: open(path).read()) for path in asked["read"]},
    "kernel": {path: tried(lambda: opened(path, os.O_WRONLY)) for path in asked["kernel"]},
    "write": {path: tried(lambda: opened(path, os.O_WRONLY | os.O_CREAT))
              for path in asked["write"]},
    "unix": tried(lambda: connected(socket.AF_UNIX, socket.SOCK_STREAM, asked["unix"])),
    "abstract": tried(lambda: connected(
        socket.AF_UNIX, socket.SOCK_STREAM, "\\0" + asked["abstract"])),
    "here": tried(lambda: connected(
        socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", asked["port"]))),
    "metadata": tried(lambda: connected(
        socket.AF_INET, socket.SOCK_STREAM, ("169.254.169.254", 80))),
    "datagram": tried(lambda: connected(
        socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.1", 53))),
    "name": tried(lambda: socket.getaddrinfo("example.org", 443)),
    "nested": tried(lambda: os.system("unshare -Ur true 2>/dev/null") and "refused"),
}))
"""  # noqa: E501 - a table
# Where the server is root, each of these would be its own to write.
KERNEL = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/vm/swappiness",
    "/proc/sysrq-trigger",
    "/proc/irq/default_smp_affinity",
]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    need_bubblewrap()
    return Place(tmp_path / "card")


async def test_a_cell_shows_nothing_of_the_machine_and_lets_nothing_out(
    tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARENT_SECRET", "canary")
    seen, data = tmp_path / "seen", tmp_path / "seen" / "data"
    data.mkdir(parents=True)
    (seen / "tool").write_text("a tool")
    (seen / "key.pem").write_text("canary")
    (data / "vibeboard.db").write_text("canary")
    beside = place.folder.parent / "another"
    beside.write_text("canary")
    view = View(PATH, more=(seen,), hidden=(data, seen / "key.pem"))
    place.sandbox = Sandbox(Environment(PATH), view=view)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_UNIX) as there,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        there.bind(str(tmp_path / "s"))
        there.listen()
        abstract.bind("\0" + place.folder.name + str(os.getpid()))
        abstract.listen()
        asked = {
            "read": [
                str(seen / "tool"),
                str(seen / "key.pem"),
                str(data / "vibeboard.db"),
                str(beside),
                f"/proc/{os.getpid()}/environ",
                "/etc/shadow",
            ],
            "kernel": KERNEL,
            "write": ["/usr/x", "/x", "/etc/x", str(seen / "tool"), "/run/inside.py"],
            "unix": str(tmp_path / "s"),
            "abstract": place.folder.name + str(os.getpid()),
            "port": listener.getsockname()[1],
        }
        (place.tree / "probe.py").write_text(PROBE)

        tried = await place.tries(
            ["/usr/bin/python3", "probe.py", json.dumps(asked)], own={"OWN": "1"}
        )

    assert tried.ended.exit_code == 0, tried.out
    assert tried.kind is Kind.BUBBLEWRAP
    assert tried.notes == ()
    found = json.loads(tried.out)
    assert found["uid"] == 1000
    assert found["rights"] == 0
    assert found["no_new"] == "1"
    assert found["processes"] <= 3
    assert "OWN=1" in found["first"]
    assert "canary" not in found["first"]
    assert found["read"].pop(str(seen / "tool")) == "a tool"
    assert found["read"].pop(str(seen / "key.pem")) in ("", "PermissionError")
    assert set(found["read"].values()) == {"FileNotFoundError"}
    assert "opened" not in [*found["kernel"].values(), *found["write"].values()]
    assert found["unix"] == "FileNotFoundError"
    assert found["abstract"] == "ConnectionRefusedError"
    assert found["here"] == "ConnectionRefusedError"
    assert found["metadata"] == found["datagram"] == "OSError"
    assert found["name"] == "gaierror"
    assert found["nested"] == "refused"


async def test_what_is_written_stays_in_the_tree_and_the_home(place: Place) -> None:
    tried = await place.shell(
        'echo a > a; echo b > "$HOME/b"; echo c > "$TMPDIR/c"; echo d > /dev/shm/d;'
        'echo e > /var/tmp/e; cat "$TMPDIR/e"; getent passwd "$(id -u)"'
    )

    assert tried.ended.exit_code == 0, tried.out
    assert tried.out.splitlines() == [
        "e",
        f"agent:x:1000:1000:agent:{place.home}:/bin/sh",
    ]
    assert (place.tree / "a").read_text() == "a\n"
    assert (place.home / "b").read_text() == "b\n"
    assert {path.name for path in place.folder.iterdir()} == {"tree", "home"}


async def test_localhost_works_inside(place: Place) -> None:
    tried = await place.python(
        "import socket\n"
        "with socket.create_server(('localhost', 0)) as server:\n"
        "    with socket.create_connection(server.getsockname()) as client:\n"
        "        server.accept()[0].send(b'hello')\n"
        "        print(client.recv(9))\n"
    )

    assert tried.out == "b'hello'\n"


async def test_a_command_that_is_asked_to_stop_may_finish(place: Place) -> None:
    """TERM is for who works inside; the cell itself outlasts it."""
    stop = Stop()
    os.mkfifo(place.tree / "ready")

    async with asyncio.TaskGroup() as group:
        trying = group.create_task(
            place.shell(
                "trap 'echo saved > saved; exit 7' TERM;"
                "echo > ready; while true; do sleep 0.05; done",
                stop=stop,
            )
        )
        await asyncio.to_thread((place.tree / "ready").read_text)
        stop.ask()

    assert trying.result().ended.how is How.STOPPED
    assert trying.result().ended.exit_code == 7
    assert (place.tree / "saved").exists()


async def test_nobody_stays_behind_in_a_cell(place: Place) -> None:
    tried = await place.shell(
        "trap '' TERM; for n in 1 2 3; do setsid setsid sleep 600 & done; echo started"
    )

    assert tried.out == "started\n"
    assert not working_in(place.tree)


async def test_ways_out_are_not_open_to_who_was_given_none(place: Place) -> None:
    tried = await place.shell("env | grep -iE 'proxy|anthropic|openai|gemini'; ls /run")

    assert tried.out.split() == ["inside.py", "vibeboard"]


async def test_a_missing_program_is_told_as_a_shell_would(place: Place) -> None:
    tried = await place.tries(["no-such-program"])

    assert tried.ended.exit_code == 127
    assert tried.out == "no-such-program: No such file or directory\n"


@pytest.mark.parametrize("asks", ["operator", "repository"])
async def test_where_it_is_required_nothing_weaker_will_do(
    tmp_path: Path, asks: str
) -> None:
    by_operator = asks == "operator"
    policy = Policy.REQUIRED if by_operator else Policy.PREFERRED
    place = Place(tmp_path, Sandbox(Environment(str(tmp_path)), policy=policy))

    with pytest.raises(SandboxMissing, match="bubblewrap is not installed"):
        await place.shell("true", reach=Reach(required=not by_operator))


async def test_without_a_sandbox_that_is_said(tmp_path: Path) -> None:
    place = Place(tmp_path, Sandbox(Environment(PATH), policy=Policy.OFF))

    tried = await place.shell("echo out", reach=Reach(hosts=("example.org",)))

    assert tried.out == "out\n"
    assert tried.notes == (
        "This ran without a sandbox: the operator switched it off.",
        "`network` could not be kept to: without bubblewrap every host is in reach.",
    )


async def test_hosts_are_reached_by_the_proxy_and_what_is_refused_is_told(
    place: Place,
) -> None:
    script = (
        "import urllib.request\n"
        "for url in ('http://evil.example/x', 'https://evil.example/',\n"
        "            'https://files.example.org:22/'):\n"
        "    try: urllib.request.urlopen(url, timeout=10)\n"
        "    except OSError as error: print(error)\n"
    )

    tried = await place.python(script, reach=Reach(hosts=("files.example.org",)))

    assert tried.out.count("403") == 3
    (note,) = tried.notes
    assert note == (
        "The network refused `evil.example:80`, `evil.example:443`, "
        "`files.example.org:22`. What is needed can be named in `network` in "
        "`.vibe.yml`."
    )
