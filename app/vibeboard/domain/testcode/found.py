"""What is found in a file of tests."""

from collections.abc import Mapping
from dataclasses import dataclass


class Unparsable(ValueError):  # noqa: N818 - an event
    """The text is not of the language that its name says."""


@dataclass(frozen=True)
class TestCode:
    """One test in the source; ``body`` is equal where the code is."""

    __test__ = False  # for pytest, which collects by name

    name: str
    assertions: int
    skips: int  # marks that turn it off, its class's and its file's included
    empty: bool
    body: str
    cases: int | None = None  # parameter sets, where they are written out


@dataclass(frozen=True)
class TestFile:
    """All tests of a file; ``focused`` ones keep the others from running."""

    __test__ = False  # as above

    tests: Mapping[str, TestCode]
    focused: int = 0
