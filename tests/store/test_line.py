"""How deliveries are grouped for the disk, and how those who sent them are told."""

import asyncio

import pytest

from tests.conftest import HandClock
from vibeboard.engine.ports import Kept
from vibeboard.store.line import Line


def put(line: Line, guids: range) -> None:
    for number in guids:
        line.put("1", f"g{number}", "issues", {}, b"{}", lambda _: None)


def test_senders_who_wait_for_answers_do_not_fall_in_step() -> None:
    line = Line(HandClock(), lambda: None)
    put(line, range(1))
    groups = [line.take()]
    put(line, range(1, 16))
    for _ in range(20):
        groups.append(line.take())
        # Who was told before the last group was taken sends again.
        put(line, range(len(groups[-2])))

    assert [len(group) for group in groups[2:]] == [8] * 19


def test_what_waits_goes_in_two_groups_if_nobody_follows() -> None:
    line = Line(HandClock(), lambda: None)
    put(line, range(100))

    sizes = []
    while group := line.take():
        sizes.append(len(group))

    assert sizes == [50, 50]


async def test_a_sender_that_cannot_be_told_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line, told = Line(HandClock(), lambda: None), asyncio.Event()

    def breaks(_: object) -> None:
        raise RuntimeError("the connection is gone")

    line.put("1", "g1", "issues", {}, b"{}", breaks)
    line.put("1", "g2", "issues", {}, b"{}", lambda _: told.set())
    group = [*line.take(), *line.take()]

    line.tell(group, [Kept.NEW] * 2)

    assert told.is_set()
    assert "was not told" in caplog.text
