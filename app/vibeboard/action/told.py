"""What the job tells its workflow and the people who look at it.

The runner reads commands in everything that a step prints: what others wrote is told
only where it cannot be taken for one. Outputs are written with a delimiter that nobody
can guess.
Source: docs.github.com, "Workflow commands for GitHub Actions".
"""

import secrets
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from vibeboard.domain.markdown import code, foreign
from vibeboard.domain.run import Run, RunState
from vibeboard.engine.ports import Annotation

_MOST = 10  # annotations of a kind that GitHub shows of a step
_LONGEST = 1_000_000  # bytes of a summary; GitHub drops one of more than 1 MiB whole
_LEVELS = {"failure": "error", "warning": "warning", "notice": "notice"}


def escaped(text: str, *, in_property: bool = False) -> str:
    """``text`` as it stands in a command."""
    for sign, code_ in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(sign, code_)
    if in_property:
        text = text.replace(":", "%3A").replace(",", "%2C")
    return text


def command(kind: str, message: str, **properties: str) -> str:
    """A command to the runner."""
    given = ",".join(
        f"{name}={escaped(value, in_property=True)}"
        for name, value in properties.items()
        if value
    )
    return f"::{kind}{' ' if given else ''}{given}::{escaped(message)}"


def say(*lines: str) -> None:
    """Print, at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def mask(values: Iterable[str]) -> None:
    """Have the runner take these out of its log; a secret of many lines by line."""
    for value in values:
        for line in value.splitlines():
            if line.strip():
                say(command("add-mask", line.strip()))


class Quiet:
    """No commands are read in what is printed in between."""

    def __init__(self) -> None:
        self._word = secrets.token_hex(16)

    def __enter__(self) -> None:
        say(f"::stop-commands::{self._word}")

    def __exit__(self, *_: object) -> None:
        say(f"::{self._word}::")


def annotate(annotations: Iterable[Annotation]) -> None:
    """Show remarks at lines, as many of a kind as GitHub shows."""
    shown: dict[str, int] = {}
    for one in annotations:
        level = _LEVELS.get(one.level, "notice")
        shown[level] = shown.get(level, 0) + 1
        if shown[level] <= _MOST:
            line = str(max(one.line, 1))
            say(command(level, one.message, file=one.path, line=line, title=one.title))


def put_outputs(file: Path | None, outputs: Mapping[str, str]) -> None:
    """Give values to the steps that follow."""
    if file is None:
        return
    with file.open("a", encoding="utf-8") as out:
        for name, value in outputs.items():
            word = f"vibeboard-{secrets.token_hex(16)}"
            while word in value:  # nobody can have guessed it; a bug could repeat it
                word = f"vibeboard-{secrets.token_hex(16)}"
            out.write(f"{name}<<{word}\n{value}\n{word}\n")


def outputs_of(run: Run | None) -> dict[str, str]:
    """The Action's outputs; empty where there is nothing to give."""
    report = run.report if run is not None else None
    pull = report.pull_request if report is not None else None
    return {
        "run": run.id if run is not None else "",
        "state": run.state.value if run is not None else "",
        "pull-request": str(pull) if pull is not None else "",
        "commit": (report.commit or "") if report is not None else "",
    }


def summarise(file: Path | None, text: str) -> None:
    """Show the text on the workflow run's page."""
    if file is None or not text:
        return
    whole = text.encode()
    if len(whole) > _LONGEST:
        whole = whole[:_LONGEST].decode(errors="ignore").encode() + b"\n\n(cut)\n"
    with file.open("ab") as out:
        out.write(whole + b"\n")


def summary_of(run: Run, repository_url: str) -> str:
    """A run in a table, and what its agent says it did."""
    report = run.report
    rows = [
        ("Stage", code(run.stage)),
        ("Issue", f"[#{run.card.number}]({repository_url}/issues/{run.card.number})"),
        ("State", run.state.value.replace("_", " ")),
    ]
    if report is not None:
        rows += _found(run, repository_url)
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    parts = [f"### Vibeboard\n\n| | |\n|---|---|\n{table}"]
    if report is not None and report.reason:
        parts.append(foreign(report.reason))
    if report is not None and report.summary:
        parts.append(foreign(report.summary))
    return "\n\n".join(parts)


def _found(run: Run, url: str) -> list[tuple[str, str]]:
    report = run.report
    assert report is not None
    rows = []
    if report.pull_request is not None:
        rows.append(
            (
                "Pull request",
                f"[#{report.pull_request}]({url}/pull/{report.pull_request})",
            )
        )
    if report.commit:
        rows.append(
            ("Commit", f"[{code(report.commit[:7])}]({url}/commit/{report.commit})")
        )
    if report.proof is not None and report.proof.verdict is not None:
        rows.append(("Tests", report.proof.verdict.value))
    rows += [
        (f"Suite {code(test.suite)}", f"{test.verdict.value}, {test.failed} failed")
        for test in report.tests
    ]
    if report.cost.usd is not None:
        rows.append(("Cost", f"${report.cost.usd:.2f}"))
    return rows


GREEN = frozenset(
    {
        RunState.SUCCEEDED,
        RunState.STOPPED,
        RunState.NEEDS_APPROVAL,
        RunState.OUT_OF_BUDGET,
    }
)


def exit_code(run: Run | None) -> int:
    """Whether the job is green: not if a run of its own failed."""
    return 0 if run is None or not run.ended or run.state in GREEN else 1
