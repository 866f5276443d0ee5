"""The table of faults tells of every case, and its tests are those that exist."""

import re
from pathlib import Path

import pytest

from tests.repo.tracked import ROOT

CASES = range(1, 41)
PAGE = ROOT / "docs" / "reference" / "faults.md"
FILES = sorted((ROOT / "tests" / "faults").glob("test_case_*.py"))
_LINK = re.compile(r"\]\(([^)]+)\)")


def rows() -> dict[int, list[str]]:
    """The cells of each case."""
    found: dict[int, list[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        number, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if number.isdecimal():
            assert int(number) not in found, f"case {number} stands twice"
            found[int(number)] = cells
    return found


def named_by(case: int) -> list[Path]:
    """The files that a row names."""
    _, _, named, _ = rows()[case]
    return [(PAGE.parent / link).resolve() for link in _LINK.findall(named)]


def test_every_case_has_one_row() -> None:
    assert sorted(rows()) == list(CASES)


@pytest.mark.parametrize("case", CASES)
def test_a_case_has_tests_or_a_reason(case: int) -> None:
    done, holds, _, result = rows()[case]
    verdict, _, reason = result.partition(": ")

    assert done
    assert holds
    assert verdict in {"covered", "partly", "not covered"}
    assert bool(named_by(case)) == (verdict != "not covered")
    assert bool(reason) == (verdict != "covered")


@pytest.mark.parametrize("case", CASES)
def test_what_a_row_names_has_tests(case: int) -> None:
    for file in named_by(case):
        assert re.search(r"^(async )?def test_", file.read_text(), re.MULTILINE), file


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_every_file_of_a_case_stands_in_its_row(file: Path) -> None:
    case = int(file.name.split("_")[2])

    assert file in named_by(case)
