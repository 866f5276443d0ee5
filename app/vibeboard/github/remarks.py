"""Remarks at lines of a pull request, and the threads that they make."""

from collections.abc import Sequence

from vibeboard.engine import ports
from vibeboard.github.answers import read
from vibeboard.github.client import Installation
from vibeboard.github.objects import GHOST, ReviewComment


async def remarks(
    installation: Installation, thread: dict[str, str]
) -> list[ReviewComment]:
    """All remarks of the pull request whose names and number ``thread`` has."""
    answers = installation.getiter(
        "/repos/{owner}/{name}/pulls/{number}/comments{?per_page}",
        {**thread, "per_page": "100"},
    )
    return [read(ReviewComment, answer) async for answer in answers]


def thread_of(
    everything: Sequence[ReviewComment], comment: int
) -> list[ports.ReviewComment]:
    """The thread that a remark belongs to, oldest first; empty if that is gone."""
    asked = next((one for one in everything if one.id == comment), None)
    if asked is None:
        return []
    # Replies take no replies: each names the first, which may have been deleted.
    first = asked.in_reply_to_id or asked.id
    found = [one for one in everything if first in (one.id, one.in_reply_to_id)]
    found.sort(key=lambda one: (one.created_at, one.id))
    return [_remark(one) for one in found]


def _remark(one: ReviewComment) -> ports.ReviewComment:
    return ports.ReviewComment(
        id=one.id,
        by=one.user.actor if one.user else GHOST,
        body=one.body or "",
        path=one.path,
        line=one.line if one.line is not None else one.original_line,
        hunk=one.diff_hunk,
        at=one.created_at,
    )
