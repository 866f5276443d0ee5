"""Reports of every tool, and of those who wish us harm."""

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml, TestCase

from vibeboard.domain.evidence import (
    Attempt,
    CaseResult,
    FlakyPolicy,
    Outcome,
    SuiteResult,
    Verdict,
)
from vibeboard.errors import ReportUnreadable
from vibeboard.runner import reports
from vibeboard.runner.dialects import UNTOLD

CORPUS = Path(__file__).parent / "corpus"
EXPECTED: dict[str, Any] = json.loads((CORPUS / "expected.json").read_text())


def corpus(name: str) -> tuple[CaseResult, ...]:
    return reports.read_all([CORPUS / f for f in EXPECTED[name]["files"]], CORPUS)


def read(tree: Path, *texts: str | bytes) -> tuple[CaseResult, ...]:
    files = []
    for number, text in enumerate(texts):
        path = tree / f"{number}.xml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        files.append(path)
    return reports.read_all(files, tree)


def ids(cases: Sequence[CaseResult]) -> list[str]:
    return [case.id for case in cases]


# --- Real tools -----------------------------------------------------------------


@pytest.mark.parametrize("name", EXPECTED)
def test_our_numbers_are_the_tools_own(name: str) -> None:
    expected = EXPECTED[name]
    result = SuiteResult(name, corpus(name), expected["exit_code"])

    counts = {outcome.value: result.count(outcome) for outcome in Outcome}
    assert counts == {outcome.value: expected[outcome.value] for outcome in Outcome}
    assert len(result.flaky) == expected["flaky"]
    assert len({case.id for case in result.cases}) == len(result.cases)
    good = expected["exit_code"] == 0
    assert result.verdict is (Verdict.PASSED if good else Verdict.FAILED)
    assert sum(case.assertions or 0 for case in result.cases) == expected.get(
        "assertions", 0
    )


# Where a plain reader counts otherwise, and why.
_OTHERWISE = {
    "bats.xml": 6,  # a retry
    "gotestsum-rerun-green.xml": 7,  # reruns
    "gotestsum-rerun.xml": 14,
    "gotestsum.xml": 9,  # a package that does not build is no test
    "node.xml": 5,  # a test outside of suites is passed over
    "prove.xml": 5,  # errors of suites
    "pytest-rerunfailures.xml": 6,  # reruns
}


@pytest.mark.parametrize(
    "file", sorted({file for each in EXPECTED.values() for file in each["files"]})
)
def test_a_plain_reader_finds_as_many_cases(file: str) -> None:
    theirs = len(_cases(JUnitXml.fromfile(str(CORPUS / file))))

    ours = len(reports.read_all([CORPUS / file], CORPUS))
    assert theirs == _OTHERWISE.get(file, ours)


def _cases(suite: Any) -> list[TestCase]:
    found: list[TestCase] = []
    for each in suite:
        found += [each] if isinstance(each, TestCase) else _cases(each)
    return found


def test_every_report_kept_is_read_by_a_test() -> None:
    read = {file for each in EXPECTED.values() for file in each["files"]}
    kept = {p.name for p in CORPUS.glob("*.xml")}
    coverage = {"coverage-py.xml", "nyc-cobertura.xml", "vitest-cobertura.xml"}

    assert read == kept - coverage


def test_a_flaky_case_keeps_every_attempt_and_passes_only_if_it_may() -> None:
    cases = corpus("Surefire's flaky elements (by hand)")
    result = SuiteResult("unit", cases, 0)

    flaky = cases[2]
    assert [each.outcome for each in flaky.attempts] == [
        Outcome.ERROR,
        Outcome.ERROR,
        Outcome.PASSED,
    ]
    assert flaky.attempts[1].message == "oops again"
    assert "ClockTest.java:14" in cases[1].attempts[0].detail
    assert result.verdict is Verdict.PASSED
    assert result.judged(FlakyPolicy.FAIL) is Verdict.FAILED


def test_a_rerun_that_the_report_hides_is_still_told() -> None:
    [flaky] = [case for case in corpus("pytest-rerunfailures") if case.flaky]

    assert flaky.id == "test_flaky::test_flaky"
    assert flaky.attempts[0] == Attempt(Outcome.FAILED, 0.003, UNTOLD)


def test_a_case_that_never_passed_keeps_its_attempts_and_is_not_flaky() -> None:
    [failed] = [case for case in corpus("cargo-nextest (by hand)") if case.outcome.bad]

    assert [each.message[-4:] for each in failed.attempts] == ["14:5", "14:5"]
    assert failed.attempts[1].detail == "late again"
    assert not failed.flaky


def test_one_name_twice_is_two_cases_where_names_need_not_be_unique() -> None:
    same = [case for case in corpus("Vitest") if "same name" in case.id]

    assert [case.outcome for case in same] == [Outcome.PASSED, Outcome.FAILED]


@pytest.mark.parametrize(
    ("name", "file", "lines"),
    [
        ("pytest", "test_clock.py", {7, 16, 23, 27, 30}),
        ("Jest", "clock.test.js", {4, 5, 8, 9}),
        ("Vitest", "clock.test.js", {6, 7, 10, 11}),
        ("Mocha", "clock.spec.js", {5, 8, 11}),
        ("gotestsum", "clock_test.go", {9, 15, 23}),
        ("PHPUnit", "tests/ClockTest.php", {6, 7, 10, 12}),
        ("Playwright", "clock.spec.js", set()),
    ],
)
def test_failures_are_placed(
    tmp_path: Path, name: str, file: str, lines: set[int]
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    source = EXPECTED[name]["files"][0]
    (tmp_path / source).write_bytes((CORPUS / source).read_bytes())

    cases = reports.read_all([tmp_path / source], tmp_path)

    failed = [case for case in cases if case.outcome.bad and case.file == file]
    assert {case.line for case in failed if case.line} >= lines


# --- Names ----------------------------------------------------------------------


def test_nested_suites_name_a_case_that_has_no_class(tmp_path: Path) -> None:
    case = '<testcase name="t"/>'
    text = (
        f'<testsuites name="all"><testsuite name="a"><testsuite name="b">{case}'
        f'</testsuite>{case}</testsuite><testsuite file="c.js">{case}</testsuite>'
        f"{case}<testcase/></testsuites>"
    )

    assert ids(read(tmp_path, text)) == [
        "a::b::t",
        "a::t",
        "c.js::t",
        "t",
        "(a test without a name)",
    ]


def test_a_name_of_two_suites_is_told_with_both(tmp_path: Path) -> None:
    case = '<testcase classname="C" name="t"/>'
    text = "<testsuites>{}</testsuites>".format(
        "".join(f'<testsuite name="{n}">{case}</testsuite>' for n in ("one", "two"))
    )

    assert ids(read(tmp_path, text)) == ["one::C::t", "two::C::t"]


def test_a_counted_name_is_nobody_elses(tmp_path: Path) -> None:
    names = ["t", "t (2)", "t", "t"]
    cases = "".join(f'<testcase name="{name}"/>' for name in names)

    found = ids(read(tmp_path, f"<testsuite>{cases}</testsuite>"))

    assert len(set(found)) == 4
    assert found[:2] == ["t", "t (2)"]


def test_names_are_the_same_in_another_workspace_and_process(tmp_path: Path) -> None:
    found = []
    for number in (1, 2):
        tree = tmp_path / f"desk{number}"
        tree.mkdir()
        name = f"t[&lt;A object at 0x7f00{number}&gt;] {tree}/a.py"
        found.append(
            ids(read(tree, f'<testsuite><testcase name="{name}"/></testsuite>'))
        )

    assert found[0] == found[1] == ["t[<A object at 0x…>] a.py"]


def test_a_long_name_is_short_and_still_its_own(tmp_path: Path) -> None:
    cases = "".join(f'<testcase name="{"x" * 900}{end}"/>' for end in "ab")

    found = ids(read(tmp_path, f"<testsuite>{cases}</testsuite>"))

    assert len(set(found)) == 2
    assert {len(each) for each in found} == {500}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0.5", 0.5),
        ("1,234.5", 1234.5),
        ("1,234", 1234.0),
        ("0,005", 0.005),
        ("12,5", 12.5),
        ("-1", 0.0),
        ("inf", 0.0),
        ("soon", 0.0),
        ("", 0.0),
    ],
)
def test_times_are_read_in_every_locale(
    tmp_path: Path, text: str, seconds: float
) -> None:
    [case] = read(
        tmp_path, f'<testsuite><testcase name="t" time="{text}"/></testsuite>'
    )

    assert case.seconds == seconds


@pytest.mark.parametrize(
    "text",
    [
        "<testsuite name='s' errors='1'/>",
        "<testsuite name='s'><error message='no'/></testsuite>",
        "<testsuites errors='1'><testcase name='t'/></testsuites>",
    ],
)
def test_what_went_wrong_outside_of_a_case_is_one(tmp_path: Path, text: str) -> None:
    cases = read(tmp_path, text)

    assert cases[-1].outcome is Outcome.ERROR
    assert cases[-1].message


# --- Harm -----------------------------------------------------------------------

LAUGHS = '<!DOCTYPE l [<!ENTITY a "ha">{}]><testsuite name="&j;"/>'.format(
    "".join(
        f'<!ENTITY {after} "{f"&{before};" * 10}">'
        for before, after in zip("abcdefghi", "bcdefghij", strict=True)
    )
)
OUTSIDE = (
    '<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite>&x;</testsuite>'
)
PARAMETER = '<!DOCTYPE l [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><testsuite/>'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LAUGHS, "document type or entities"),
        (OUTSIDE, "document type or entities"),
        (PARAMETER, "document type or entities"),
        ("<!DOCTYPE testsuite><testsuite/>", "document type or entities"),
        ("<testsuite>&undeclared;</testsuite>", "broken or cut off"),
        ("<testsuite><testcase name='a'>", "broken or cut off"),
        ("<testsuite><testcase name='a", "broken or cut off"),
        ("<testsuite><system-out><![CDATA[x", "broken or cut off"),
        ("<testsuite/><testsuite/>", "broken or cut off"),
        ("<testsuite>\0</testsuite>", "without control characters"),
        ("<testsuite>\x1b[31m</testsuite>", "without control characters"),
        (b"<testsuite name='\xff'/>", "the encoding it names"),
        (
            b"<?xml version='1.0' encoding='shift_jis'?><testsuite/>",
            "broken or cut off",
        ),
        (b"\xff\xfe<\0t", "broken or cut off"),
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "broken or cut off"),
        ("<a>" * 1_000_000, "no JUnit report"),
        ("<testsuite>" * 1_000_000, "more than 200 deep"),
        ("<testsuite><testcase>" + "<a>" * 1_000_000, "more than 200 deep"),
        ("<testsuite>" + "<testcase>" * 1_000_000, "more than 200 deep"),
        ("<testsuite><system-out>" + "<a>" * 1_000_000, "more than 200 deep"),
        ("{}", "broken or cut off"),
    ],
    ids=lambda each: str(each)[:40],
)
def test_harm_is_refused_with_the_reason(
    tmp_path: Path, text: str | bytes, why: str
) -> None:
    with pytest.raises(ReportUnreadable) as refused:
        read(tmp_path, text)

    assert why in str(refused.value)
    assert "`0.xml`" in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1", "cp1252"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    named = {"utf-8-sig": "utf-8", "cp1252": "windows-1252"}.get(encoding, encoding)
    text = f"<?xml version='1.0' encoding='{named}'?>"
    text += "<testsuite><testcase name='é'/></testsuite>"

    assert ids(read(tmp_path, text.encode(encoding))) == ["é"]


_LONG = "x" * 30_000_000


@pytest.mark.parametrize(
    "text",
    [
        f"<testcase name='{_LONG}'/>",
        f"<testcase name='a'><failure message='{_LONG}'/></testcase>",
        f"<testcase name='a'><failure>{_LONG}</failure></testcase>",
        "<testcase name='a'><failure>" + "\n" * 30_000_000 + "</failure></testcase>",
        f"<!--{_LONG}--><testcase name='a'/>",
    ],
    ids=["name", "message", "detail", "blank lines", "comment"],
)
def test_a_huge_piece_takes_no_long_time_and_is_cut(tmp_path: Path, text: str) -> None:
    begin = time.process_time()

    [case] = read(tmp_path, f"<testsuite>{text}</testsuite>")

    assert time.process_time() - begin < 20
    assert len(case.id) + len(case.message) + len(case.detail) < 10_000


def test_failures_without_end_keep_a_bounded_amount(tmp_path: Path) -> None:
    one = f"<testcase name='t'><failure>{'late ' * 1600}</failure></testcase>"

    cases = read(tmp_path, *[f"<testsuite>{one * 1000}</testsuite>"] * 6)

    assert len(cases) == 6000
    assert all(case.outcome is Outcome.FAILED and case.message for case in cases)
    assert sum(len(case.detail) for case in cases) < reports._ALL_DETAILS


def test_more_cases_than_anybody_has_are_refused(tmp_path: Path) -> None:
    text = f"<testsuite>{'<testcase/>' * (reports.MOST_CASES + 1)}</testsuite>"

    with pytest.raises(ReportUnreadable, match="split the suite"):
        read(tmp_path, text)


@pytest.mark.parametrize("count", [5001, 9])
def test_too_many_files_are_refused(tmp_path: Path, count: int) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(b"<testsuite/>".ljust(60_000_000 if count < 5000 else 20))

    with pytest.raises(ReportUnreadable, match="only this suite's"):
        reports.read_all([path] * count, tmp_path)


_MEASURE = """
import sys
from pathlib import Path
from vibeboard.runner import reports
def kib(line):  # getrusage would begin with the peak of the parent
    status = Path("/proc/self/status").read_text()
    return next(int(each.split()[1]) for each in status.splitlines() if line in each)
Path("/proc/self/clear_refs").write_text("5")
before = kib("VmRSS")
cases = reports.read_all([Path(sys.argv[1])], Path(sys.argv[1]).parent)
print(len(cases), kib("VmHWM") - before)
"""


def test_a_large_report_takes_seconds_and_little_memory(tmp_path: Path) -> None:
    text = "said " * 80
    case = (
        '<testcase classname="org.example.Clock{0}" name="t{0}" time="0.01">'
        f"<system-out>{text}</system-out></testcase>\n"
    )
    path = tmp_path / "large.xml"
    with path.open("w") as file:
        file.write("<testsuites><testsuite name='s'>")
        file.writelines(case.format(number) for number in range(100_000))
        file.write("</testsuite></testsuites>")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, path], capture_output=True, check=True
    )

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cases, grown = map(int, done.stdout.split())
    assert path.stat().st_size > 45 << 20
    assert cases == 100_000
    assert grown < 150 << 10  # KiB
    assert after.ru_utime - before.ru_utime < 20


def test_noise_is_read_or_refused_and_nothing_else(tmp_path: Path) -> None:
    chance = random.Random(1)  # noqa: S311 - the same noise every time
    whole = (CORPUS / "playwright-retries.xml").read_bytes()
    for _ in range(300):
        noisy = bytearray(whole)
        for _ in range(chance.randint(1, 5)):
            noisy[chance.randrange(len(noisy))] = chance.randrange(256)
        cut = bytes(noisy[: chance.randint(1, len(noisy))])
        try:
            read(tmp_path, cut)
        except ReportUnreadable as refused:
            assert "`0.xml`" in str(refused)  # noqa: PT017 - most are, not all
