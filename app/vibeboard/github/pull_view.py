"""A pull request as those who decide about it must see it: whole, at one head.

What GitHub may not show us is an error and never left out: a gate that overlooks a
review or a check is no gate.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vibeboard.engine.ports import HeadCheck, PullReview, PullView, ReviewState
from vibeboard.errors import GitHubUnavailable
from vibeboard.github.answers import read
from vibeboard.github.client import Identity, Installation
from vibeboard.github.documents import load
from vibeboard.github.objects import (
    GHOST,
    CheckRunNode,
    HeadContext,
    PullNode,
    ReviewNode,
    StatusNode,
)

_VIEW = load("pull_view")
_PENDING = "PENDING"
_COMPLETED = "COMPLETED"
# A status is alive in these states; the rest are conclusions but for the name of one.
_ALIVE = {"PENDING", "EXPECTED"}
_CONCLUSIONS = {"SUCCESS": "success", "FAILURE": "failure", "ERROR": "failure"}


@dataclass
class _Pages:
    """What was read so far."""

    pull: PullNode
    reviews: list[ReviewNode] = field(default_factory=list)
    contexts: list[HeadContext] = field(default_factory=list)


async def view(
    installation: Installation, names: Mapping[str, str], number: int, *, us: Identity
) -> PullView:
    """Read all of a pull request, as many pages as it takes."""
    variables: dict[str, Any] = {
        **names,
        "number": number,
        # It is there for forks, too, whose branches may be out of our reach.
        "head": f"refs/pull/{number}/head",
        "reviews": None,
        "checks": None,
    }
    pages: _Pages | None = None
    while True:
        answer = await installation.graphql(_VIEW, variables)
        pull = read(PullNode, (answer.get("repository") or {}).get("pullRequest"))
        pages = pages or _Pages(pull)
        if _add(pages, pull, variables):
            return _view(pages, us)


def _add(pages: _Pages, pull: PullNode, variables: dict[str, Any]) -> bool:
    """Take what a page has and ask for the next one; True if there is none."""
    if pull.head_ref_oid != pages.pull.head_ref_oid:
        message = "the pull request got a new head while it was read"
        raise GitHubUnavailable(message)
    reviews, rollup = pull.reviews, pull.status_check_rollup
    pages.reviews[:0] = reviews.nodes  # each page is older than the one before
    # After the last page, its cursor leads to an empty one.
    variables["reviews"] = reviews.page_info.start_cursor or variables["reviews"]
    more = reviews.page_info.has_previous_page
    if rollup is not None:
        if rollup.commit is not None and rollup.commit.oid != pull.head_ref_oid:
            message = "GitHub still shows the checks of another head"
            raise GitHubUnavailable(message)
        page = rollup.contexts.page_info
        pages.contexts += rollup.contexts.nodes
        variables["checks"] = page.end_cursor or variables["checks"]
        more = more or page.has_next_page
    return not more


def _view(pages: _Pages, us: Identity) -> PullView:
    pull = pages.pull
    branch = pull.head_ref_name
    if pull.is_cross_repository:
        # A fork's branch may bear the name of one of ours, and is not ours.
        owner = pull.head_repository_owner
        branch = f"{owner.login if owner else ''}:{branch}"
    return PullView(
        number=pull.number,
        url=pull.url,
        title=pull.title,
        body=pull.body,
        branch=branch,
        base=pull.base_ref_name,
        head=pull.head_ref_oid,
        is_open=pull.state == "OPEN",
        is_draft=pull.is_draft,
        merged=pull.state == "MERGED",
        author=pull.author.actor if pull.author else GHOST,
        behind=_behind(pull),
        reviews=_opinions(pages.reviews),
        checks=tuple(_check(one, us) for one in pages.contexts),
    )


def _behind(pull: PullNode) -> int:
    compared = pull.base_ref.compare if pull.base_ref else None
    if compared is not None and compared.head_target.oid == pull.head_ref_oid:
        return compared.behind_by
    if pull.state != "OPEN":
        return 0  # its branches may be gone, and nobody asks any more
    message = "GitHub has not compared the new head with its base yet"
    raise GitHubUnavailable(message)


def _opinions(nodes: Iterable[ReviewNode]) -> tuple[PullReview, ...]:
    """Everybody's latest opinion, oldest first; a comment where there is none."""
    latest: dict[object, PullReview] = {}
    for number, review in enumerate(sorted(_said(nodes), key=lambda one: one.at)):
        # Deleted accounts are one ghost to us, and may have been many people.
        who = number if review.by == GHOST else review.by.login.lower()
        known = latest.get(who)
        opinion = review.state is not ReviewState.COMMENTED
        if opinion or known is None or known.state is ReviewState.COMMENTED:
            latest[who] = review
    return tuple(sorted(latest.values(), key=lambda one: one.at))


def _said(nodes: Iterable[ReviewNode]) -> Iterator[PullReview]:
    for one in nodes:
        if one.state != _PENDING and one.submitted_at is not None:
            yield PullReview(
                by=one.author.actor if one.author else GHOST,
                state=ReviewState(one.state.lower()),
                commit=one.commit.oid if one.commit else None,
                at=one.submitted_at,
            )


def _check(context: HeadContext, us: Identity) -> HeadCheck:
    if isinstance(context, CheckRunNode):
        return _of_run(context, us)
    return _of_status(context, us)


def _of_run(run: CheckRunNode, us: Identity) -> HeadCheck:
    app = run.check_suite.app
    ended = run.status == _COMPLETED and run.conclusion is not None
    return HeadCheck(
        name=run.name,
        app=app.slug if app else "",
        conclusion=(run.conclusion or "").lower() if ended else None,
        url=run.details_url or run.url,
        summary="\n\n".join(part for part in (run.title, run.summary) if part),
        required=run.is_required,
        ours=app is not None and app.database_id == us.app_id,
    )


def _of_status(status: StatusNode, us: Identity) -> HeadCheck:
    by = (status.creator.actor if status.creator else GHOST).login
    alive = status.state in _ALIVE
    return HeadCheck(
        name=status.context,
        app=by.removesuffix("[bot]"),
        conclusion=None if alive else _CONCLUSIONS.get(status.state, "failure"),
        url=status.target_url or "",
        summary=status.description or "",
        required=status.is_required,
        ours=by == us.login,
    )
