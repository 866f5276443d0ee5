"""A large test report read: ours against junitparser and lxml, on the same file.

The file has 100,000 cases in 50 MB: classes and names as Surefire writes them, output
of those that passed, and a stack trace for one in fifty. Every reader runs in a process
of its own, a round each in turn, and gives name, outcome, time and message of each
case; ours also looks where the tests failed. Memory is what the process needed beyond
its imports at its peak. ``lxml, whole`` builds the tree, as junitparser does; ``lxml,
freed`` iterates and frees as one must with large files. ``parser alone`` is expat
without anybody who listens: what any reader of Python's own must take.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.machine import scratch
from benchmarks.table import numbers, print_ratios, print_table, ratio

_OURS = "ours"
_READERS = (
    _OURS,
    "junitparser",
    "junitparser, lxml",
    "lxml, whole",
    "lxml, freed",
    "parser alone",
)
_SUITES = 100
_FAILING = 50  # one in so many
_CASE = (
    '<testcase name="ticks{number}(int)[{number}]" '
    'classname="org.example.clock.hands.Suite{suite}Test" time="0.0{number}">'
)
_OUTPUT = "2026-01-02 03:04:05.678 INFO clock.Hands - the hands stand at {number}\n"
_TRACE = "    at org.example.clock.hands.Hands.move(Hands.java:{number})\n"


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table and the ratios."""
    asked = numbers(
        "reports", "Large test reports read.", arguments, cases=100_000, rounds=5
    )
    times: dict[str, list[float]] = {name: [] for name in _READERS}
    peaks: dict[str, list[float]] = {name: [] for name in _READERS}
    with scratch() as folder:
        path = folder / "report.xml"
        write(path, asked["cases"])
        size = path.stat().st_size / 1e6
        for _ in range(asked["rounds"]):
            for name in _READERS:
                seconds, peak = _measured(name, path, asked["cases"])
                times[name].append(seconds)
                peaks[name].append(peak)
    print_table(
        (f"{asked['cases']:,} cases", "seconds", "MB/s", "peak MB"),
        [
            (name, f"{median(times[name]):.2f}", size / median(times[name]), peak)
            for name in _READERS
            for peak in [median(peaks[name])]
        ],
    )
    print_ratios(
        {
            f"{what}_vs_{name.replace(', ', '_').replace(' ', '_')}": ratio(
                measured[_OURS], measured[name]
            )
            for what, measured in (("time", times), ("memory", peaks))
            for name in _READERS[1:]
            if what == "time" or name != "parser alone"
        }
    )
    return 0


def write(path: Path, cases: int) -> None:
    """A report of so many cases, the same every time."""
    with path.open("w") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n')
        for suite in range(_SUITES):
            file.write(f'<testsuite name="org.example.clock.hands.Suite{suite}Test">\n')
            for number in range(suite, cases, _SUITES):
                file.write(_case(suite, number))
            file.write("</testsuite>\n")
        file.write("</testsuites>\n")


def _case(suite: int, number: int) -> str:
    opened = _CASE.format(number=number, suite=suite)
    if number % _FAILING:
        output = _OUTPUT.format(number=number) * 4
        return f"{opened}<system-out><![CDATA[{output}]]></system-out></testcase>\n"
    trace = _TRACE.format(number=number) * 40
    failure = f'<failure message="expected {number}" type="E">{trace}</failure>'
    return f"{opened}{failure}</testcase>\n"


def _measured(name: str, path: Path, cases: int) -> tuple[float, float]:
    """Seconds and MB of one reader in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.report_readers", name, path],
        capture_output=True,
        text=True,
        check=True,
    )
    found, seconds, peak = done.stdout.split()
    if int(found) not in (cases, 0):
        raise ValueError(f"{name} found {found} cases of {cases}")
    return float(seconds), float(peak)
