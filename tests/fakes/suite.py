"""A test runner that starts in no time: functions ``test_*`` of ``test_*.py``.

It runs with ``python -IS`` where a journey is about something else than tests.
"""

import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.sax.saxutils import escape, quoteattr


def cases() -> Iterator[tuple[str, str, str]]:
    """Module, name and what went wrong."""
    for path in sorted(Path().glob("test_*.py")):
        module = ModuleType(path.stem)
        exec(compile(path.read_text(), path.name, "exec"), module.__dict__)  # noqa: S102 - tests are code
        for name, function in list(vars(module).items()):
            if name.startswith("test_"):
                try:
                    function()
                except Exception:  # noqa: BLE001 - whatever the test says
                    line = traceback.extract_tb(sys.exc_info()[2])[-1].lineno
                    where = f"{path}:{line}: Error\n"
                    yield path.stem, name, where + traceback.format_exc()
                else:
                    yield path.stem, name, ""


def main(report: Path) -> int:
    sys.path.insert(0, "")
    found = list(cases())
    report.parent.mkdir(parents=True, exist_ok=True)
    with report.open("w") as file:
        file.write(f'<testsuite tests="{len(found)}">')
        for module, name, wrong in found:
            failure = f"<failure>{escape(wrong)}</failure>" if wrong else ""
            file.write(f"<testcase classname={quoteattr(module)} ")
            file.write(f"name={quoteattr(name)}>{failure}</testcase>")
        file.write("</testsuite>")
    return int(any(wrong for _, _, wrong in found))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
