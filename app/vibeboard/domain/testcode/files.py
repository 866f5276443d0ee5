"""Which files hold tests, which set them up, and in which language they are."""

import re
from collections.abc import Callable, Mapping
from functools import partial

from vibeboard.domain.testcode import calls, functions, python, ruby
from vibeboard.domain.testcode.found import TestFile

MOST_TEXT = 500_000

_FOLDERS = {"test", "tests", "spec", "specs", "__tests__", "e2e", "testing"}
_NAMES = re.compile(
    r"test_.*\.py|.*_tests?\.(?:py|go|rb|exs?|rs|php|c|cc|cpp)|tests?\.(?:py|rs)"
    r"|.*[._-](?:test|spec|cy|e2e)\.[cm]?[jt]sx?|.*_(?:spec|test)\.rb"
    r"|(?:Test\w*|\w*(?:Tests?|IT|Spec|TestCase))\.(?:java|kt|kts|groovy|scala|cs|php)",
)
_SOURCES = re.compile(
    r".*\.(?:py|go|rb|rs|php|java|kt|kts|groovy|scala|cs|[cm]?[jt]sx?|exs?|c|cc|cpp)"
)
_SETUP = re.compile(
    r"conftest\.py|pytest\.(?:ini|toml)|\.pytest\.ini|tox\.ini|noxfile\.py|setup\.cfg"
    r"|pyproject\.toml|\.coveragerc|jest\.(?:config|setup)\..+|vite(?:st)?\.config\..+"
    r"|vitest\.(?:setup|workspace)\..+|playwright\.config\..+|cypress\.config\..+"
    r"|karma\.conf\..+|\.mocharc\..+|\.nycrc.*|\.jestrc.*|package\.json"
    r"|phpunit\.xml(?:\.dist)?|\.rspec|(?:spec|rails|test)_helper\.rb"
    r"|pom\.xml|build\.gradle(?:\.kts)?|junit-platform\.properties"
    r"|.*\.runsettings|xunit\.runner\.json|nextest\.toml"
)


# In files that also say other things, only these parts are about tests.
def _section(names: str) -> re.Pattern[str]:
    return re.compile(rf"^\[(?:{names})[^\n]*(?:\n(?!\[)[^\n]*)*", re.MULTILINE)


_PARTS: Mapping[str, re.Pattern[str]] = {
    "pyproject.toml": _section(r"tool\.pytest|tool\.coverage"),
    "setup.cfg": _section("tool:pytest|coverage:"),
    "tox.ini": _section("pytest|testenv"),
    "package.json": re.compile(
        r'"(?:test(?::[\w-]+)?|pretest|posttest)"\s*:\s*"(?:\\.|[^"\\])*"'
        r'|"(?:jest|mocha|vitest|nyc|ava|c8)"\s*:\s*\{[^{}]*'
    ),
    "pom.xml": re.compile(
        r"<artifactId>maven-(?:surefire|failsafe)-plugin.{0,5000}?</plugin", re.DOTALL
    ),
    "build.gradle": re.compile(r"\btest\w*\s*\{[^}]*"),
    "build.gradle.kts": re.compile(r"\b(?:tasks\.)?\w*[tT]est\w*[^\n{]*\{[^}]*"),
}

_READERS: Mapping[str, Callable[[str], TestFile]] = {
    "py": python.read,
    "go": partial(functions.read, language="go"),
    "java": partial(functions.read, language="java"),
    "kt": partial(functions.read, language="java"),
    "cs": partial(functions.read, language="csharp"),
    "rs": partial(functions.read, language="rust"),
    "rb": ruby.read,
    **{
        kind + last: partial(calls.read, language="js")
        for kind in ("js", "ts", "mjs", "mts", "cjs", "cts")
        for last in ("", "x")
    },
}


def is_test_file(path: str) -> bool:
    """Whether a file's name or folder says that it holds tests."""
    *folders, name = path.split("/")
    if is_test_setup(path) or not _SOURCES.fullmatch(name):
        return False
    around = {folder.casefold() for folder in folders}
    return bool(_NAMES.fullmatch(name)) or not _FOLDERS.isdisjoint(around)


def is_test_setup(path: str) -> bool:
    """Whether a file's name says that it sets up how tests run."""
    return _SETUP.fullmatch(_name(path)) is not None


def setup_of(path: str, text: str | None) -> str:
    """What a file says about tests; nothing if it is not there."""
    part = _PARTS.get(_name(path))
    if text is None or part is None or len(text) > MOST_TEXT:
        return text or ""
    return "\n".join(found[0].strip() for found in part.finditer(text))


def read(path: str, text: str) -> TestFile:
    """The tests of a file; none in a language that is not known here.

    Raises Unparsable if it is not in the language that its name says.
    """
    kind = _name(path).rpartition(".")[2]
    if kind == "php":
        both = functions.read(text, "php"), calls.read(text, "php")
        return TestFile({**both[0].tests, **both[1].tests}, both[1].focused)
    reader = _READERS.get(kind)
    return reader(text) if reader else TestFile({})


def _name(path: str) -> str:
    return path.rpartition("/")[2]
