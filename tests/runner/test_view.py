"""What a cell may read of a machine."""

from pathlib import Path

import pytest

from vibeboard.runner.sandbox.view import View


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Tool chains as people have them."""
    for name in (
        "node/bin/node", "node/lib/node_modules/tool/cli.js", "node/share/notes",
        "venv/bin/python", "venv/pyvenv.cfg", "venv/lib/x.py",
        "env/shims/ruby", "env/versions/3/bin/ruby",
        ".local/bin/tool", ".local/share/keyrings/login", ".local/lib/libtool.so",
        "opt/agent", "opt/secret.txt",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "opt/agent").chmod(0o755)
    return tmp_path


def seen(machine: Path, *folders: str, **more: tuple[Path, ...]) -> set[str]:
    """What is seen of the machine, by name, with folders of it on the PATH."""
    path = ":".join(str(machine / each) for each in folders)
    programs = more.pop("programs", ())
    found = View(path, **more).seen(programs)
    return {str(each.relative_to(machine)) for each in found if machine in each.parents}


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (("node/bin",), {"node/bin", "node/lib"}),
        (("venv/bin",), {"venv"}),
        (("env/shims",), {"env"}),
        ((".local/bin",), {".local/bin", ".local/lib"}),
        (("no/bin", ""), set()),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_programs_are_seen_with_their_libraries(
    machine: Path, folders: tuple[str, ...], names: set[str]
) -> None:
    assert seen(machine, *folders) - {"."} == names


def test_an_agents_program_is_seen_with_the_modules_it_came_in(machine: Path) -> None:
    modules = machine / "node/lib/node_modules"
    link = machine / "agent"
    link.symlink_to(modules / "tool/cli.js")

    assert seen(machine, programs=(modules / "tool/cli.js",)) == {
        "node/lib/node_modules"
    }
    assert "node/lib/node_modules" in seen(machine, programs=(link,))
    assert seen(machine, programs=(machine / "opt/agent",)) == {"opt/agent"}


def test_what_is_no_program_is_not_shown_for_being_named_as_one(machine: Path) -> None:
    assert seen(machine, programs=(machine / "opt/secret.txt",)) == set()


def test_nothing_is_seen_twice(machine: Path) -> None:
    assert seen(machine, "opt", more=(machine / "opt", machine / "opt/agent")) == {
        "opt"
    }


def test_what_is_hidden_is_masked_only_where_it_would_be_seen(machine: Path) -> None:
    secret, elsewhere = machine / "opt/secret.txt", machine / ".local/share"
    view = View(str(machine / "opt"), hidden=(secret, elsewhere, machine / "gone"))
    found = view.seen()

    assert view.masked(found) == (secret,)
    shown = {each for each in view.uncovered(found) if machine in each.parents}
    assert shown == {machine / "opt/agent"}


def test_secrets_of_the_system_are_not_among_what_is_seen() -> None:
    found = View("/usr/bin").seen()

    assert Path("/usr") in found
    for secret in ("/etc/shadow", "/etc/ssl/private/key.pem", "/root/.ssh", "/home"):
        assert not any(Path(secret).is_relative_to(each) for each in found)
