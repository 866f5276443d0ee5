"""Coverage as the tools write it, merged, and as those write it who wish us harm."""

import json
from pathlib import Path
from typing import Any

import pytest

from vibeboard.domain.evidence import Coverage, FileCoverage
from vibeboard.errors import ReportUnreadable
from vibeboard.runner import coverage, reports

CORPUS = Path(__file__).parent / "corpus"
EXPECTED: dict[str, Any] = json.loads((CORPUS / "expected-coverage.json").read_text())


def read(tree: Path, *texts: str | bytes) -> Coverage | None:
    files = []
    for number, text in enumerate(texts):
        path = tree / f"{number}.coverage"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        files.append(path)
    return coverage.read_all(files, tree)


def cobertura(lines: str, name: str = "a.py", source: str = "") -> str:
    return (
        f"<coverage><sources><source>{source}</source></sources><packages><package>"
        f"<classes><class filename='{name}'><methods/><lines>{lines}</lines></class>"
        "</classes></package></packages></coverage>"
    )


def lcov(*lines: str, name: str = "a.py") -> str:
    return "\n".join([f"SF:{name}", *(f"DA:{each}" for each in lines), "end_of_record"])


@pytest.mark.parametrize("name", EXPECTED)
def test_our_numbers_are_the_tools_own(name: str) -> None:
    expected = EXPECTED[name]

    found = coverage.read_all([CORPUS / expected["file"]], CORPUS)

    assert found is not None
    assert (found.lines, found.covered) == (expected["lines"], expected["covered"])


def test_no_file_is_no_coverage_and_no_line_has_no_percentage(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    empty = read(tmp_path, lcov())
    assert empty == Coverage(0, 0, (FileCoverage("a.py", 0, 0),))
    assert empty.percent is None


def test_a_line_that_one_of_several_files_ran_did_run(tmp_path: Path) -> None:
    one = lcov("1,1", "2,0", "3,0")
    other = cobertura("<line number='2' hits='7'/><line number='4' hits='0'/>")

    found = read(tmp_path, one, other)

    assert found == Coverage(4, 2, (FileCoverage("a.py", 4, 2),))
    assert found.percent == 50.0
    assert read(tmp_path, other, one) == found


def test_one_file_told_from_several_places_is_one(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").touch()
    line = "<line number='1' hits='1'/>"

    found = read(
        tmp_path,
        cobertura(line, "a.py", f"{tmp_path}/src"),
        cobertura(line, "a.py", "src"),
        lcov("1,0", "2,0", name=str(tmp_path / "src" / "a.py")),
    )

    assert found == Coverage(2, 1, (FileCoverage("src/a.py", 2, 1),))


def test_files_with_most_lines_left_come_first_and_are_bounded(tmp_path: Path) -> None:
    many = [lcov("1,1", name=f"{n}.py") for n in range(coverage.MOST_TOLD)]
    worst = lcov("1,0", "2,0", name="z.py")

    found = read(tmp_path, "\n".join([*many, worst]))

    assert found is not None
    assert found.lines == coverage.MOST_TOLD + 2
    assert len(found.files) == coverage.MOST_TOLD
    assert found.files[0] == FileCoverage("z.py", 2, 0)


@pytest.mark.parametrize(
    "line", ["DA:1,1", "DA:1,1,checksum", "DA:1,99999999999999", "DA:1,1.0", "DA: 1, 1"]
)
def test_hits_of_every_kind_are_hits(tmp_path: Path, line: str) -> None:
    found = read(tmp_path, f"TN:\nSF:a.py\nFN:1,a\n{line}\nBRDA:1,0,0,-\nend_of_record")

    assert found is not None
    assert found.covered == 1


@pytest.mark.parametrize("line", ["DA:1,0", "DA:1,-1", "DA:1,", "DA:1,====="])
def test_what_is_no_hit_is_none(tmp_path: Path, line: str) -> None:
    found = read(tmp_path, f"SF:a.py\n{line}\nend_of_record\n")

    assert found is not None
    assert (found.lines, found.covered) == (1, 0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("SF:a.py\nDA:1,1\n", "cut off"),
        ("hello\n", "neither Cobertura XML nor lcov"),
        ("x" * 20_000_000, "a line without an end"),
        ("<testsuite/>", "no Cobertura report"),
        ("<coverage><packages>", "broken or cut off"),
        ("<coverage>" + "<a>" * 1_000_000, "more than 50 deep"),
        (
            '<!DOCTYPE c [<!ENTITY a "b">]><coverage>&a;</coverage>',
            "document type or entities",
        ),
        ("<coverage>" + "<class>" * 1_000_000, "more than 50 deep"),
        (b"<coverage a='\xff'/>", "broken or cut off"),
        (b"\0" * 1000, "neither Cobertura XML nor lcov"),
        (
            "".join(
                f"SF:{n}\nend_of_record\n" for n in range(coverage.MOST_SOURCES + 1)
            ),
            "too many files",
        ),
    ],
    ids=lambda each: str(each)[:40],
)
def test_harm_is_refused_with_the_reason(
    tmp_path: Path, text: str | bytes, why: str
) -> None:
    with pytest.raises(ReportUnreadable, match=why):
        read(tmp_path, text)


def test_a_document_type_may_be_named_and_is_not_fetched(tmp_path: Path) -> None:
    text = '<!DOCTYPE coverage SYSTEM "file:///etc/passwd">' + cobertura("")

    assert read(tmp_path, text) is not None


def test_names_that_lead_out_are_kept_as_words(tmp_path: Path) -> None:
    found = read(tmp_path, lcov("1,1", name="../../etc/passwd\0" + "x" * 9000))

    assert found is not None
    assert found.files[0].path.startswith("../../etc/passwd")


def test_links_are_refused_like_those_of_reports(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "secret").write_text(lcov("1,1"))
    (tree / "lcov.info").symlink_to("../secret")

    assert reports.find(tree, ["*.info"]).refused == ("lcov.info",)
    with pytest.raises(ReportUnreadable, match="cannot be read"):
        coverage.read_all([tree / "lcov.info"], tree)
