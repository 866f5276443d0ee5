"""Suites run for real, and the reports of every kind they leave."""

import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes.stop import Never, Stop
from vibeboard.domain.evidence import Outcome, SuiteResult, Verdict
from vibeboard.domain.workflow import Suite
from vibeboard.runner.environment import Environment
from vibeboard.runner.sandbox.cell import Sandbox
from vibeboard.runner.suites import ShellSuites

ONE = '<testsuite><testcase classname="a" name="b" time="0.5"/></testsuite>'


class Desk:
    """A tree with suites in it."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.tree.mkdir()
        self.log = folder / "tests.log"

    async def suite(
        self,
        run: str,
        *reports: str,
        limit: float = 60,
        stop: Never | Stop | None = None,
    ) -> SuiteResult:
        suite = Suite("unit", run, reports or ("report.xml",), timedelta(seconds=limit))
        suites = ShellSuites(Sandbox(Environment(os.environ["PATH"])))
        return await suites.run(suite, self.tree, log=self.log, stop=stop or Never())

    async def reporting(self, text: str | bytes, then: str = "true") -> SuiteResult:
        """A suite that writes ``text`` as its report."""
        data = text.encode() if isinstance(text, str) else text
        (self.tree / "made").write_bytes(data)
        return await self.suite(f"cp made report.xml; {then}")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_pytest_is_evidence(desk: Desk) -> None:
    (desk.tree / "test_clock.py").write_text(
        "import pytest\n"
        "def test_tick(): pass\n"
        "def test_tock():\n"
        "    print('said')\n"
        "    assert 1 == 2, 'late'\n"
        "@pytest.mark.skip\n"
        "def test_later(): pass\n"
        "@pytest.fixture\n"
        "def broken(): raise RuntimeError('oops')\n"
        "def test_broken(broken): pass\n"
    )

    result = await desk.suite(
        f"{sys.executable} -m pytest -p no:cacheprovider --junitxml=report.xml"
    )

    assert result.verdict is Verdict.FAILED
    assert result.exit_code == 1
    assert [(case.id, case.outcome) for case in result.cases] == [
        ("test_clock::test_tick", Outcome.PASSED),
        ("test_clock::test_tock", Outcome.FAILED),
        ("test_clock::test_later", Outcome.SKIPPED),
        ("test_clock::test_broken", Outcome.ERROR),
    ]
    tock = result.cases[1]
    assert "late" in tock.message
    assert "said" in tock.detail
    assert (tock.file, tock.line) == ("test_clock.py", 5)
    assert "1 failed" in result.output_tail
    assert "1 failed" in desk.log.read_text()


async def test_a_green_report_and_exit_code_pass(desk: Desk) -> None:
    result = await desk.reporting(ONE)

    assert result.verdict is Verdict.PASSED
    assert result.cases[0].seconds == 0.5
    assert result.fault is None


@pytest.mark.parametrize(
    ("report", "fault"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("not xml", "is broken or cut off"),
        ("<testsuite><testcase name='a'/>", "is broken or cut off"),
        (b"\xff\xfe\x00garbage", "is broken or cut off"),
        ('<?xml version="1.0" encoding="no-such"?><testsuite/>', "broken or cut off"),
        ("<html/>", "no JUnit report (it begins with `<html>`)"),
        ("<testsuite/>", "holds no test"),
        ("<testsuites><testsuite tests='0'/></testsuites>", "holds no test"),
        (
            "<testsuite><testcase name='a'><skipped/></testcase></testsuite>",
            "All 1 tests were skipped",
        ),
        (
            '<!DOCTYPE x [<!ENTITY a "b">]><testsuite name="&a;"></testsuite>',
            "document type or entities",
        ),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>', "document type"),
    ],
)
async def test_a_report_that_proves_nothing_says_why(
    desk: Desk, report: str | bytes, fault: str
) -> None:
    result = await desk.reporting(report)

    assert result.verdict is Verdict.INCONCLUSIVE
    assert fault in (result.fault or "")


async def test_no_report_says_how_to_write_one(desk: Desk) -> None:
    result = await desk.suite("echo fine")

    assert result.verdict is Verdict.INCONCLUSIVE
    assert "wrote no report to `report.xml`" in (result.fault or "")
    assert "--junitxml" in (result.fault or "")
    assert result.output_tail == "fine\n"


async def test_the_report_of_an_earlier_run_is_not_believed(desk: Desk) -> None:
    (desk.tree / "report.xml").write_text(ONE)

    result = await desk.suite("true")

    assert "wrote no report" in (result.fault or "")


async def test_a_green_report_with_a_bad_exit_code_is_not_believed(
    desk: Desk,
) -> None:
    result = await desk.reporting(ONE, then="exit 2")

    assert result.verdict is Verdict.INCONCLUSIVE
    assert "exit code 2 although" in (result.fault or "")


async def test_a_program_that_is_not_there_is_named(desk: Desk) -> None:
    result = await desk.suite("no-such-test-runner")

    assert "not installed" in (result.fault or "")
    assert "no-such-test-runner" in result.output_tail


async def test_a_suite_without_an_end_is_ended(desk: Desk) -> None:
    result = await desk.suite("sleep 600", limit=0.3)

    assert result.verdict is Verdict.INCONCLUSIVE
    assert "its limit" in (result.fault or "")


async def test_a_suite_is_stopped_before_its_end(desk: Desk) -> None:
    stop = Stop()
    stop.ask()

    result = await desk.suite("sleep 600", stop=stop)

    assert "stopped" in (result.fault or "")


async def test_what_failed_before_the_end_counts_even_if_a_report_is_broken(
    desk: Desk,
) -> None:
    failed = "<testsuite><testcase name='a'><failure/></testcase></testsuite>"
    (desk.tree / "made").write_text(failed)

    result = await desk.suite("cp made report.xml; sleep 600", limit=1)

    assert result.verdict is Verdict.FAILED


@pytest.mark.parametrize(
    "script",
    ["ln -s ../secret.xml report.xml", "ln -s .. out; cp made ../secret.xml"],
)
async def test_reports_behind_links_are_refused(desk: Desk, script: str) -> None:
    (desk.tree / "made").write_text(ONE)
    (desk.tree.parent / "secret.xml").write_text(ONE)

    result = await desk.suite(script, "*.xml", "out/*.xml")

    assert result.cases == ()
    assert "through a link" in (result.fault or "")
    assert (desk.tree.parent / "secret.xml").exists()


@pytest.mark.parametrize("glob", ["/etc/*.xml", "../*.xml", "a/../../*.xml"])
async def test_globs_out_of_the_tree_are_refused(desk: Desk, glob: str) -> None:
    (desk.tree.parent / "secret.xml").write_text(ONE)

    result = await desk.suite("true", glob)

    assert "leads out of the repository" in (result.fault or "")
    assert (desk.tree.parent / "secret.xml").exists()


async def test_a_pipe_in_the_place_of_a_report_does_not_block(desk: Desk) -> None:
    result = await desk.suite("mkfifo report.xml")

    assert "wrote no report" in (result.fault or "")


async def test_a_huge_report_is_refused(desk: Desk) -> None:
    result = await desk.suite("head -c 70000000 /dev/zero > report.xml")

    assert "larger than 64 MiB" in (result.fault or "")


async def test_repeated_names_stay_apart(desk: Desk) -> None:
    case = '<testcase classname="a" name="b"/>'
    (desk.tree / "made").write_text(f"<testsuite>{case}{case}</testsuite>")

    result = await desk.suite("cp made 1.xml; cp made 2.xml", "*.xml", "1.*")

    assert [case.id for case in result.cases] == [
        "a::b",
        "a::b (2)",
        "a::b (3)",
        "a::b (4)",
    ]


SUREFIRE = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" tests="2" errors="1">
  <properties><property name="java.version" value="21"/></properties>
  <testcase name="ticks" classname="org.example.ClockTest" time="1,234.5"/>
  <testcase name="tocks" classname="org.example.ClockTest" time="NaN">
    <error message="boom" type="java.lang.IllegalStateException"><![CDATA[at Clock]]>
    </error>
    <system-err>warned</system-err>
  </testcase>
</testsuite>"""
JEST = """<testsuites name="jest tests">
  <testsuite name="clock"><testcase classname="clock ticks" name="clock ticks">
    <failure>Error: expect(1).toBe(2)
    at Object.&lt;anonymous&gt; (src/clock.test.js:7:13)
    at node_modules/jest/run.js:1:1</failure>
  </testcase></testsuite></testsuites>"""
GO = """<testsuites><testsuite name="example.org/clock">
  <testcase classname="clock" name="TestTick" time="0.00">
    <failure message="Failed" type="">    clock_test.go:9: late&#xA;</failure>
  </testcase></testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("report", "file", "outcome", "place"),
    [
        (SUREFIRE, None, Outcome.ERROR, None),
        (JEST, "src/clock.test.js", Outcome.FAILED, 7),
        (GO, "clock_test.go", Outcome.FAILED, 9),
    ],
    ids=["surefire", "jest", "go"],
)
async def test_other_runners_are_understood(
    desk: Desk, report: str, file: str | None, outcome: Outcome, place: int | None
) -> None:
    if file:
        (desk.tree / file).parent.mkdir(exist_ok=True)
        (desk.tree / file).touch()

    result = await desk.reporting(report, then="exit 1")

    last = result.cases[-1]
    assert (last.outcome, last.file, last.line) == (outcome, file, place)
    assert last.message
    assert result.fault is None


async def test_a_long_failure_keeps_both_ends(desk: Desk) -> None:
    long = "first" + "x" * 100_000 + "last"
    case = f"<testcase name='a'><failure>{long}</failure></testcase>"

    result = await desk.reporting(f"<testsuite>{case}</testsuite>")

    detail = result.cases[0].detail
    assert len(detail) < 9000
    assert detail.startswith("first")
    assert detail.endswith("last")


async def test_a_hundred_thousand_cases_are_read(desk: Desk) -> None:
    cases = "".join(f'<testcase name="t{n}"/>' for n in range(100_000))

    result = await desk.reporting(f"<testsuite>{cases}</testsuite>")

    assert result.count(Outcome.PASSED) == 100_000
