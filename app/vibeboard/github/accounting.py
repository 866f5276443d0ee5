"""Who called GitHub how often.

A count belongs to the code that opened it and follows it into child tasks; what
others call at the same time is theirs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from vibeboard.engine.ports import Calls

_COUNTING: ContextVar[tuple[Calls, ...]] = ContextVar("counting", default=())


@contextmanager
def counted() -> Iterator[Calls]:
    """Count what is called inside, in child tasks too; counts may nest."""
    calls = Calls()
    token = _COUNTING.set((*_COUNTING.get(), calls))
    try:
        yield calls
    finally:
        _COUNTING.reset(token)


def count(*, requests: int = 0, points: int = 0, unchanged: int = 0) -> None:
    """Add to every count that is open here."""
    for calls in _COUNTING.get():
        calls.requests += requests
        calls.points += points
        calls.unchanged += unchanged
