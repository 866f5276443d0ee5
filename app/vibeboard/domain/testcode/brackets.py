"""Blocks of source that stand in brackets, and what stands before them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

DEEPEST = 20  # groups in groups; more of them is no test file
_MARKS = re.compile(r"[(){}\[\];]")
_CLOSES = {")": "(", "}": "{", "]": "["}


@dataclass(frozen=True)
class Block:
    """A pair of braces: where its head begins, and its body's two ends."""

    head: int
    begin: int
    end: int


def pairs(code: str) -> dict[int, int]:
    """Where each opening bracket is closed; at the end if it is not."""
    waiting: list[tuple[str, int]] = []
    closed: dict[int, int] = {}
    for found in _MARKS.finditer(code):
        mark, at = found[0], found.start()
        if mark in "([{":
            waiting.append((mark, at))
        elif mark != ";" and waiting and waiting[-1][0] == _CLOSES[mark]:
            closed[waiting.pop()[1]] = at
    closed.update((at, len(code)) for _, at in waiting)
    return closed


def blocks(code: str) -> Iterator[Block]:
    """All pairs of braces that are no arguments, in their order.

    And bodies that are one expression behind an arrow, up to their semicolon.
    """
    closed = pairs(code)
    arguments_end = head = 0
    for found in _MARKS.finditer(code):
        mark, at = found[0], found.start()
        if at < arguments_end:
            continue
        if mark in "([":
            arguments_end = closed[at]
            continue
        if mark == "{":
            yield Block(head, at, closed[at])
        if mark == ";" and (arrow := code.find("=>", head, at)) >= 0:
            yield Block(head, arrow + 1, at)
        if mark in ";{}":
            head = at + 1
