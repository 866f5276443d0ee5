"""A file's patch as rows of a table, with the comments that belong to each line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from localhub.git import FileChange
from localhub.state import ReviewComment

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


@dataclass(frozen=True)
class Line:
    """A row: its kind (`add`, `cut`, `same`, `hunk`), both numbers, and its notes."""

    kind: str
    text: str
    old: int | None
    new: int | None
    notes: list[ReviewComment]


@dataclass(frozen=True)
class File:
    """A changed file."""

    path: str
    status: str
    additions: int
    deletions: int
    lines: list[Line]


def _lines(patch: str, notes: list[ReviewComment]) -> Iterator[Line]:
    old = new = 0
    for text in patch.split("\n"):
        if hunk := _HUNK.match(text):
            old, new = int(hunk[1]), int(hunk[2])
            yield Line("hunk", text, None, None, [])
        elif text.startswith("+"):
            yield Line("add", text, None, new, _notes(notes, "RIGHT", new))
            new += 1
        elif text.startswith("-"):
            yield Line("cut", text, old, None, _notes(notes, "LEFT", old))
            old += 1
        elif text.startswith("\\"):
            yield Line("hunk", text, None, None, [])
        else:
            yield Line("same", text, old, new, _notes(notes, "RIGHT", new))
            old, new = old + 1, new + 1


def _notes(notes: list[ReviewComment], side: str, line: int) -> list[ReviewComment]:
    return [note for note in notes if note.side == side and note.line == line]


def files(changes: list[FileChange], notes: list[ReviewComment]) -> list[File]:
    """Lay out what git says about a change."""
    return [
        File(
            path=change.filename,
            status=change.status,
            additions=change.additions,
            deletions=change.deletions,
            lines=list(
                _lines(
                    change.patch,
                    [note for note in notes if note.path == change.filename],
                )
            )
            if change.patch
            else [],
        )
        for change in changes
    ]
