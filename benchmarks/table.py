"""How every benchmark is asked, and prints: a table, then one line of ratios."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from statistics import median


def numbers(
    name: str, about: str, arguments: Sequence[str], **usual: int
) -> Mapping[str, int]:
    """The numbers that a benchmark can be told, or the usual ones.

    Exits with 2 and the reason for anything else.
    """
    parser = ArgumentParser(prog=f"benchmarks {name}", description=about)
    for option, value in usual.items():
        parser.add_argument(
            f"--{option}", type=_count, default=value, help=f"usually {value}"
        )
    return dict(vars(parser.parse_args(arguments)))


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns that line up, words to the left and numbers to the right."""
    cells = [[_shown(cell) for cell in row] for row in [header, *rows]]
    columns = [[row[at] for row in cells] for at in range(len(header))]
    lined_up = [_lined_up(name, *below) for name, *below in columns]
    for row in zip(*lined_up, strict=True):
        say("  ".join(row).rstrip())


def ratio(ours: Iterable[float], theirs: Iterable[float]) -> float:
    """The middle one of the rounds' ratios.

    Both were measured right after each other in each round, so that what else the
    machine did then spoils one ratio and not all of them.
    """
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def print_ratios(values: Mapping[str, float]) -> None:
    """The last line of a benchmark: one JSON object, two digits a ratio."""
    say(json.dumps({name: round(value, 2) for name, value in values.items()}))


def say(text: str = "") -> None:
    """Print at once, so that progress is seen through a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(text)
    return int(text)


_count.__name__ = "count"  # as argparse calls it when it complains


def _lined_up(name: str, *below: str) -> list[str]:
    width = max(map(len, (name, *below)))
    words = any(cell[:1].isalpha() for cell in below)
    return [
        cell.ljust(width) if words else cell.rjust(width) for cell in (name, *below)
    ]


def _shown(cell: object) -> str:
    return f"{cell:,.1f}" if isinstance(cell, float) else str(cell)
