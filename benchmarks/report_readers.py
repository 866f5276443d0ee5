"""One reader of a report, in a process of its own: ``NAME FILE``.

Prints how many cases it found, its seconds, and the MB that it needed at its peak. Each
imports its library before the clock starts.
"""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Facts = tuple[str, str, float, str]  # name, outcome, seconds, message
Read = Callable[[Path], int]


def ours() -> Read:
    """What the product does with every report."""
    from vibeboard.runner import reports  # noqa: PLC0415 - only what is measured

    return lambda path: len(reports.read_all([path], path.parent))


def junitparser() -> Read:
    """As its documentation shows it: the whole file, then its cases.

    It takes lxml where that is installed.
    """
    from junitparser import JUnitXml  # noqa: PLC0415 - as above

    def read(path: Path) -> int:
        found: list[Facts] = []
        for suite in JUnitXml.fromfile(str(path)):
            for case in suite:
                result = case.result[0] if case.result else None
                kind = type(result).__name__
                message = (result.message or "") if result is not None else ""
                name = f"{case.classname}::{case.name}"
                found.append((name, kind, case.time, message))
        return len(found)

    return read


def junitparser_alone() -> Read:
    """The same as it is installed, without lxml beside it."""
    sys.modules["lxml"] = None  # type: ignore[assignment]  # as if it were not there
    return junitparser()


def lxml_whole() -> Read:
    """The tree at once, and its cases."""
    from lxml import etree  # noqa: PLC0415 - as above

    def read(path: Path) -> int:
        parser = etree.XMLParser(huge_tree=True, resolve_entities=False)
        tree = etree.parse(path, parser)
        return len([_facts(case) for case in tree.iter("testcase")])

    return read


def lxml_freed() -> Read:
    """Case by case, each freed with all before it."""
    from lxml import etree  # noqa: PLC0415 - as above

    def read(path: Path) -> int:
        found = []
        for _, case in etree.iterparse(
            path, tag="testcase", huge_tree=True, resolve_entities=False
        ):
            found.append(_facts(case))
            case.clear(keep_tail=False)
            while case.getprevious() is not None:
                del case.getparent()[0]
        return len(found)

    return read


def parser_alone() -> Read:
    """Expat with nobody who listens."""
    from xml.parsers import expat  # noqa: PLC0415 - as above

    def read(path: Path) -> int:
        with path.open("rb") as file:
            expat.ParserCreate().ParseFile(file)
        return 0

    return read


def _facts(case: Any) -> Facts:
    outcome, message = "passed", ""
    for child in case:
        if child.tag in ("failure", "error", "skipped"):
            outcome, message = child.tag, child.get("message") or child.text or ""
    name = f"{case.get('classname')}::{case.get('name')}"
    return name, outcome, float(case.get("time") or 0), message


READERS: Mapping[str, Callable[[], Read]] = {
    "ours": ours,
    "junitparser": junitparser_alone,
    "junitparser, lxml": junitparser,
    "lxml, whole": lxml_whole,
    "lxml, freed": lxml_freed,
    "parser alone": parser_alone,
}


def main(name: str, path: str) -> None:
    """Measure one reader."""
    read = READERS[name]()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    before = _memory("VmRSS")
    begin = time.perf_counter()
    found = read(Path(path))
    seconds = time.perf_counter() - begin
    sys.stdout.write(f"{found} {seconds} {_memory('VmHWM') - before}\n")


def _memory(line: str) -> float:
    """MB now (``VmRSS``) or at the peak (``VmHWM``).

    What ``getrusage`` gives begins with the peak of the parent.
    """
    status = Path("/proc/self/status").read_text()
    return next(int(x.split()[1]) for x in status.splitlines() if line in x) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
