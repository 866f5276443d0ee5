"""What a job says to its runner: what others wrote is never taken for a command."""

import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.action.workbench import read_outputs
from vibeboard.action import told
from vibeboard.action.logs import Lines
from vibeboard.domain.board import CardKey
from vibeboard.domain.run import Cost, Report, Run, RunState
from vibeboard.engine.ports import Annotation

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = Run(
    "r1", CardKey("acme/clock", 7), "develop", "d1", "alice", RunState.FAILED, AT, AT
)
HOSTILE = "done\n::set-output name=state::evil\r\n::add-path::/evil"


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_command_stays_one_line() -> None:
    said = told.command("error", HOSTILE, file="a,b:c\n.py", line="3", title="")

    assert said == (
        "::error file=a%2Cb%3Ac%0A.py,line=3::"
        "done%0A::set-output name=state::evil%0D%0A::add-path::/evil"
    )


@pytest.mark.parametrize(
    "value", ["", "plain", HOSTILE, "a\n\nb\n", "EOF", "state<<EOF\nevil\nEOF", "=%"]
)
def test_outputs_come_out_as_they_went_in(tmp_path: Path, value: str) -> None:
    file = tmp_path / "output"
    file.write_text("before=1\n".replace("=", "<<E\n") + "E\n")

    told.put_outputs(file, {"commit": value, "state": "failed"})

    found = read_outputs(file.read_bytes().decode())
    assert found == {"before": "1", "commit": value, "state": "failed"}


def test_no_two_outputs_have_the_same_delimiter(tmp_path: Path) -> None:
    told.put_outputs(tmp_path / "o", {"a": "1", "b": "2"})

    marks = [x for x in (tmp_path / "o").read_text().splitlines() if "<<" in x]
    assert len({mark.partition("<<")[2] for mark in marks}) == 2


def test_ten_annotations_of_a_kind_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    remarks = [Annotation("a.py", n, HOSTILE, "T") for n in range(12)]

    told.annotate([*remarks, Annotation("b.py", 1, "soft", level="warning")])

    said = lines(capsys)
    assert len(said) == 11
    assert said[0].startswith("::error file=a.py,line=1,title=T::done%0A")
    assert said[-1] == "::warning file=b.py,line=1::soft"


def test_each_line_of_a_secret_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    told.mask(["one", "two\n\nthree 100%\n"])

    assert lines(capsys) == [
        "::add-mask::one",
        "::add-mask::two",
        "::add-mask::three 100%25",
    ]


def test_no_command_works_between_the_two_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with told.Quiet():
        told.say("::add-path::/evil")

    first, _, last = lines(capsys)
    assert first.startswith("::stop-commands::")
    assert last == f"::{first.removeprefix('::stop-commands::')}::"


def test_a_log_line_is_no_command() -> None:
    record = logging.LogRecord(
        "vibeboard", logging.WARNING, "", 0, "refused", None, None
    )
    record.why = f"{HOSTILE} ##[add-path]/evil"
    try:
        int(HOSTILE)
    except ValueError:
        record.exc_info = sys.exc_info()

    shown = Lines().format(record)

    assert 'refused why="done\\n::set-output' in shown.splitlines()[0]
    assert not [x for x in shown.splitlines() if x.lstrip() != x and x[0] != " "]
    assert not [x for x in shown.splitlines() if x.startswith("::")]
    assert "##[" not in shown


def test_the_summary_names_what_people_look_for(tmp_path: Path) -> None:
    report = Report(
        RunState.FAILED,
        summary="Hello @bob\n# Heading",
        reason="the tests failed",
        commit="c0ffee" * 6,
        pull_request=9,
        cost=Cost(usd=1.234),
    )
    run = Run(**{**vars(RUN), "report": report})

    told.summarise(tmp_path / "s", told.summary_of(run, "https://h/acme/clock"))

    text = (tmp_path / "s").read_text()
    assert "| Issue | [#7](https://h/acme/clock/issues/7) |" in text
    assert "| Pull request | [#9](https://h/acme/clock/pull/9) |" in text
    assert "| Cost | $1.23 |" in text
    assert "the tests failed" in text
    assert "@bob" not in text
    assert told.outputs_of(run)["pull-request"] == "9"
    assert told.outputs_of(None) == dict.fromkeys(told.outputs_of(run), "")


def test_a_summary_that_github_would_drop_is_cut(tmp_path: Path) -> None:
    told.summarise(tmp_path / "s", "ä" * 1_000_000)

    size = (tmp_path / "s").stat().st_size
    assert 900_000 < size < 1 << 20
    assert (tmp_path / "s").read_text().endswith("(cut)\n\n")


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (RunState.SUCCEEDED, 0),
        (RunState.STOPPED, 0),
        (RunState.NEEDS_APPROVAL, 0),
        (RunState.OUT_OF_BUDGET, 0),
        (RunState.RUNNING, 0),
        (RunState.FAILED, 1),
        (RunState.TIMED_OUT, 1),
    ],
)
def test_a_job_is_red_if_its_run_failed(state: RunState, code: int) -> None:
    assert told.exit_code(Run(**{**vars(RUN), "state": state})) == code
