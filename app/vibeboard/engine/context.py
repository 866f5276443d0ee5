"""What a task is about: the fields of every log line that it writes.

They hold until the task ends, and go with it into child tasks and threads.
"""

from collections.abc import Mapping
from contextvars import ContextVar

_ABOUT: ContextVar[Mapping[str, str] | None] = ContextVar("about", default=None)


def fields() -> Mapping[str, str]:
    """What this task is about."""
    return _ABOUT.get() or {}


def about(**more: str) -> None:
    """From now on this task is about these, too; empty ones are left out."""
    given = {name: value for name, value in more.items() if value}
    _ABOUT.set({**fields(), **given})
