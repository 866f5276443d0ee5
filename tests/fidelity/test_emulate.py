"""Ours against `emulate`, a local GitHub that others wrote: where both answer, alike.

`steps` has the requests, `differing` the differences with their reasons.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.fidelity import emulator, waivers
from tests.fidelity.differing import KNOWN, differences
from tests.fidelity.steps import STEPS

pytestmark = pytest.mark.npm


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[list[str]]:
    """Every difference between two runs of the same requests."""
    found: list[str] = []
    async with (
        emulator.emulate(tmp_path) as their_url,
        emulator.ours(tmp_path) as our_url,
        aiohttp.ClientSession() as session,
    ):
        theirs = emulator.Server(session, their_url)
        mine = emulator.Server(session, our_url)
        for step in STEPS:
            there, here = await theirs.take(step), await mine.take(step)
            if there.status != here.status:
                found.append(f"{step.name}: {there.status} there, {here.status} here")
                continue
            lines = differences(there.body, here.body)
            found += [f"{step.name}: {line}" for line in lines]
        yield found


async def test_both_answer_alike_but_for_what_is_known(told: list[str]) -> None:
    unknown = waivers.unwaived(told, KNOWN)
    assert unknown == [], "\n".join(unknown)
    assert waivers.unused(told, KNOWN) == []
