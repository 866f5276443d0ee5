"""The repository keeps its own rules."""

import re
from pathlib import Path

import pytest

from docs.pictures.make import LARGEST
from tests.repo.tracked import ROOT, tracked
from vibeboard import __version__

PYTHON = [path for path in tracked() if path.suffix == ".py"]
_LARGEST = 1024 * 1024
_EXCUSE = re.compile(r"#\s*(noqa|type:\s*ignore)(.*)")
_RULED = re.compile(r"(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|\[[\w, -]+\])(.*)")
# Homes of people, not /home inside a longer path.
_MACHINE = re.compile(r"(?<![\w.])/(?:home|Users|root|work)/\w+")
_BINARY = {".png"}


def test_the_changelog_begins_with_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    entries = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)

    assert entries[0] == __version__


def test_the_wheel_has_this_version() -> None:
    assert f'\nversion = "{__version__}"\n' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_hashes_and_no_registry(name: str) -> None:
    text = (ROOT / name).read_text()
    pins = re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]

    assert pins
    for pin in pins:
        assert "--hash=sha256:" in pin, pin.splitlines()[0]
    assert "index-url" not in text
    assert "://" not in text


def test_no_file_is_large() -> None:
    for path in tracked():
        limit = LARGEST if path.suffix in _BINARY else _LARGEST
        assert path.stat().st_size <= limit, path


def excuses(path: Path) -> list[str]:
    """The lines that ask a tool to look away, without their rule or reason."""
    found = []
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines, start=1):
        excuse = _EXCUSE.search(line)
        if excuse is None or path == Path(__file__):
            continue
        ruled = _RULED.match(excuse[2])
        if ruled is None or not re.search(r"\w{3}", ruled[1]):
            found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    return found


def test_every_excuse_has_its_rule_and_its_reason() -> None:
    assert [line for path in PYTHON for line in excuses(path)] == []


def test_no_path_of_somebodys_machine_is_told() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {place[0]}"
        for path in tracked()
        if path.suffix not in _BINARY and path != Path(__file__)
        for place in _MACHINE.finditer(path.read_text(errors="replace"))
    ]

    assert found == []
