"""What the operator's commands share: the database, tables, and JSON."""

import json
import os
import pwd
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from datetime import datetime
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vibeboard.clock import SystemClock
from vibeboard.domain.markdown import duration
from vibeboard.settings import read_settings
from vibeboard.store.desk import Desk, opened

_WIDE = 240  # columns, where no terminal says how many there are
_MOST = 50  # rows of a table; JSON has them all


def at_the_desk() -> AbstractAsyncContextManager[Desk]:
    """The database of the settings, on behalf of whoever types."""
    return opened(read_settings().database, SystemClock(), by=operator())


def operator() -> str:
    """Who types, for the audit."""
    try:
        return f"operator {pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # a container's user often has no name
        return f"operator {os.getuid()}"


def age(since: datetime) -> str:
    """How long ago: ``2m 14s``, ``3d``."""
    span = SystemClock().now() - since
    return f"{span.days}d" if span.days > 1 else duration(span)


def console() -> Console:
    """Where tables are printed; wide if that is no terminal."""
    found = Console()
    return found if found.is_terminal else Console(width=_WIDE)


def show(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table, without the columns that nothing is in."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not cells:
        return
    used = [at for at in range(len(heads)) if any(row[at] for row in cells)]
    table = Table(
        box=None, pad_edge=False, title=title, title_justify="left", title_style="bold"
    )
    for at in used:
        table.add_column(heads[at], overflow="fold", header_style="dim")
    for row in cells[:_MOST]:
        table.add_row(*(escape(row[at]) for at in used))
    console().print(table)
    if len(cells) > _MOST:
        typer.echo(f"… and {len(cells) - _MOST} more")


def as_dict(value: Any) -> dict[str, Any]:
    """A dataclass with its times as ISO 8601."""
    return {
        name: each.isoformat() if isinstance(each, datetime) else each
        for name, each in asdict(value).items()
    }


def print_json(value: Any) -> None:
    """One JSON document."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
