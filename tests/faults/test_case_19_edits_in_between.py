"""Case 19: a command is what was written at first, by who wrote it.

What rests on approvals (bound to a commit, refused when it moved) comes with them.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localhub import comments
from tests.faults.asking import Asking, replies, started
from tests.github.on_localhub import on_localhub


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    async with on_localhub(tmp_path) as world:
        yield Asking(world)


async def test_case_19_only_a_new_comment_commands(asking: Asking) -> None:
    small = asking.world.small
    comment = asking.comment("I think we should wait.", small.alice)
    comments.edit(small.hub, comment, "/agent develop", actor=small.alice)
    comments.edit(small.hub, comment, "/agent refine", actor=small.bob)
    comments.delete(small.hub, comment, actor=small.alice)
    assert [payload["action"] for _, payload in asking.told] == [
        "created",
        "edited",
        "edited",
        "deleted",
    ]

    assert await asking.decided() == []


async def test_case_19_a_strangers_comment_is_not_made_a_command_by_an_edit(
    asking: Asking,
) -> None:
    """Who edits may write here; who is shown as its author may not."""
    small = asking.world.small
    comment = asking.comment("Hello", small.stranger)
    comments.edit(small.hub, comment, "/agent develop", actor=small.alice)

    assert await asking.decided() == []


async def test_case_19_a_command_edited_at_once_is_what_it_was(asking: Asking) -> None:
    small = asking.world.small
    comment = asking.comment("/agent develop as it is", small.alice)
    comments.edit(small.hub, comment, "/agent develop otherwise", actor=small.bob)

    (run,) = started(await asking.decided())

    assert (run.asked_by, run.instructions) == ("alice", "as it is")


@pytest.mark.parametrize("action", ["edited", "deleted", "pinned", "hidden", ""])
async def test_case_19_no_other_action_commands(asking: Asking, action: str) -> None:
    asking.comment("/agent develop", asking.world.small.alice)
    payload = asking.said("issue_comment") | {"action": action}

    assert await asking.about("issue_comment", payload) == []


async def test_case_19_who_sent_it_is_asked_for_and_not_who_is_named_in_it(
    asking: Asking,
) -> None:
    small = asking.world.small
    asking.comment("/agent develop", small.stranger)
    payload = asking.said("issue_comment")
    payload["comment"]["user"] |= {"login": "alice"}
    payload["issue"]["user"] |= {"login": "alice"}

    effects = await asking.about("issue_comment", payload)

    assert started(effects) == []
    assert "@mallory has read" in replies(effects)[0]


async def test_case_19_approving_is_answered_and_does_nothing_yet(
    asking: Asking,
) -> None:
    asking.comment("/agent approve c0ffee1", asking.world.small.alice)

    effects = await asking.decided()

    assert started(effects) == []
    assert "approve" in replies(effects)[0]
