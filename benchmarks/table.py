"""How every benchmark prints: a table for people, then one line of ratios."""

import json
import sys
from collections.abc import Mapping, Sequence


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns that line up, names to the left and numbers to the right."""
    cells = [[_shown(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[at]) for row in cells) for at in range(len(header))]
    for row in cells:
        sides = (
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        say("  ".join(sides).rstrip())


def print_ratios(values: Mapping[str, float]) -> None:
    """The last line of a benchmark: one JSON object, two digits a ratio."""
    say(json.dumps({name: round(value, 2) for name, value in values.items()}))


def say(text: str = "") -> None:
    """Print at once, so that progress is seen through a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _shown(cell: object) -> str:
    return f"{cell:,.1f}" if isinstance(cell, float) else str(cell)
