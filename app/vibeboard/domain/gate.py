"""Whether a card may stand in a column: what its gate asks for, and what there is.

A gate looks at the pull request's head commit. What was proved, approved or reviewed
of an earlier commit says nothing of this one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from vibeboard.domain import reviewwords, testwords
from vibeboard.domain.contract import Contract
from vibeboard.domain.evidence import SuiteResult, Verdict
from vibeboard.domain.markdown import count, inline
from vibeboard.domain.review import ReviewResult
from vibeboard.domain.run import Run
from vibeboard.domain.workflow import REVIEWS, VERIFY, Gate, Review, Suite

GATE = "gate-"  # what the checks of gates are known by, besides the card's number
# What the causes of runs begin with.
PUSHED = "push-"  # somebody's commit is looked at
REVIEWED = "review-"  # somebody remarked on the work,
REJECTED = "reject-"  # or does not take it


@dataclass(frozen=True)
class Vouch:
    """Somebody's word for ``subject``: a commit, or an acceptance criterion."""

    subject: str
    by: str
    reason: str = ""


@dataclass(frozen=True)
class OthersCheck:
    """A check of somebody else on the head; not ``good`` if it failed, None: alive."""

    name: str
    good: bool | None
    url: str = ""
    summary: str = ""


@dataclass(frozen=True)
class Head:
    """A card's pull request as a gate sees it.

    ``approved_by`` are people who may, on this very head; ``approved_before`` did so on
    an earlier one, ``objected_by`` ask for changes. ``asked_by`` are the ``askers``.
    ``results`` are by suite, ``reviews`` by name; one that is missing was not made of
    the head. ``tested_now`` says that a run is on its way to it, and ``reviewed_now``
    which reviews one will make. ``passed_over`` are reviews that somebody does not want
    to wait for, or to be blocked by, at this head.
    """

    number: int
    commit: str
    is_open: bool = True
    merged: bool = False
    behind: int = 0
    base: str = ""
    approved_by: frozenset[str] = frozenset()
    approved_before: frozenset[str] = frozenset()
    objected_by: frozenset[str] = frozenset()
    asked_by: frozenset[str] = frozenset()
    results: Mapping[str, SuiteResult] = field(default_factory=dict)
    tested_now: bool = False
    reviews: Mapping[str, ReviewResult] = field(default_factory=dict)
    reviewed_now: frozenset[str] = frozenset()
    passed_over: Mapping[str, Vouch] = field(default_factory=dict)
    contract: Contract | None = None


@dataclass(frozen=True)
class Requirement:
    """One thing that a gate asks for; ``said`` is how it stands, for people.

    ``waits`` is true where nobody has to do anything for it but wait, and ``way`` says
    what else somebody can do.
    """

    name: str
    met: bool
    said: str
    waits: bool = False
    way: str = ""


def askers(runs: Collection[Run]) -> frozenset[str]:
    """Who had the agent work, or pushed commits of their own.

    Who reviews the work and sends it back, or has it tested again, does not ask for it:
    their approval is what a gate waits for.
    """
    return frozenset(run.asked_by for run in runs if _asks(run))


def _asks(run: Run) -> bool:
    if run.stage in (VERIFY, REVIEWS):
        return run.cause.startswith(PUSHED)
    return not run.cause.startswith((REVIEWED, REJECTED))


def judge(gate: Gate, head: Head | None) -> tuple[Requirement, ...]:
    """Everything that the gate asks for, in the order of `.vibe.yml`'s reference."""
    if head is None:
        return (Requirement("pull request", met=False, said="there is none"),)
    found = [_suite(suite, head) for suite in gate.tests]
    found += [_review(review, head) for review in gate.reviews]
    if gate.criteria:
        found.append(_criteria(head.contract))
    if gate.approvals:
        found.append(_approvals(gate.approvals, head))
    if gate.up_to_date and not head.merged:
        found.append(_up_to_date(head))
    if gate.merged:
        found.append(_merged(head))
    return tuple(found)


def unmet(requirements: Collection[Requirement]) -> tuple[Requirement, ...]:
    """What keeps the gate shut; nothing if it is open."""
    return tuple(one for one in requirements if not one.met)


def _suite(suite: Suite, head: Head) -> Requirement:
    name = f"suite `{suite.name}`"
    short = head.commit[:7]
    result = head.results.get(suite.name)
    if result is None and head.tested_now:
        return Requirement(name, met=False, said=f"runs on `{short}`", waits=True)
    if result is None:
        said = f"has not run on `{short}`, the newest commit"
        return Requirement(name, met=False, said=said, way=_TEST)
    if result.verdict is Verdict.PASSED:
        said = f"{testwords.title([result])} on `{short}`"
        return Requirement(name, met=True, said=said)
    said = f"{testwords.objection(result)} (on `{short}`)"
    return Requirement(name, met=False, said=said, waits=head.tested_now, way=_TEST)


def _review(review: Review, head: Head) -> Requirement:
    name = f"review `{review.name}`"
    short = head.commit[:7]
    result = head.reviews.get(review.name)
    if result is not None and result.verdict is Verdict.PASSED:
        said = f"{reviewwords.title(result)} in `{short}`"
        return Requirement(name, met=True, said=said)
    over = head.passed_over.get(review.name)
    if over is not None:
        said = f"passed over by {inline(over.by)}: {inline(over.reason)}"
        return Requirement(name, met=True, said=said)
    if review.name in head.reviewed_now:
        return Requirement(name, met=False, said=f"looks at `{short}`", waits=True)
    again = "`/agent retry reviews` has the newest commit reviewed"
    accept = f"`/agent approve {review.name} <reason>` passes over the review"
    if result is None:
        said = f"was not made of `{short}`, the newest commit"
        return Requirement(name, met=False, said=said, way=again)
    said = f"{reviewwords.blocked(result)} (in `{short}`)"
    way = accept if result.verdict is Verdict.FAILED else f"{again}, {accept}"
    return Requirement(name, met=False, said=said, way=way)


_TEST = "`/agent retry tests` runs the tests on the newest commit"


def _criteria(contract: Contract | None) -> Requirement:
    name = "acceptance criteria"
    if contract is None or not contract.criteria:
        said = "the issue has none; a `refine` stage writes them"
        return Requirement(name, met=False, said=said)
    done = len(contract.criteria) - len(contract.open)
    said = f"{done} of {len(contract.criteria)}"
    waived = [one for one in contract.criteria if one.waiver and one.met]
    if waived:
        told = (f"{one.number} by {inline(one.waiver.by)}" for one in waived)  # type: ignore[union-attr]  # see above
        said += f"; accepted without proof: {', '.join(told)}"
    for one in contract.open:
        said += f"; {one.number} {testwords.STANDINGS[one.standing]}"
    way = "`/agent approve AC<number> <reason>` accepts a criterion without proof"
    return Requirement(name, met=contract.met, said=said, way=way)


def _approvals(wanted: int, head: Head) -> Requirement:
    counted = head.approved_by - head.asked_by
    said = f"{len(counted)} of {wanted}"
    if counted:
        said += f" ({_people(counted)})"
    if own := head.approved_by & head.asked_by:
        said += f"; {_people(own)} asked for the work, and does not count"
    if earlier := head.approved_before - head.approved_by:
        said += f"; {_people(earlier)} approved an earlier commit"
    if head.objected_by:
        said += f"; {_people(head.objected_by)} asked for changes"
    met = len(counted) >= wanted and not head.objected_by
    way = "`/agent approve <sha>` approves the newest commit"
    return Requirement("approvals", met=met, said=said, way=way)


def _up_to_date(head: Head) -> Requirement:
    base = inline(head.base or "its base")
    if not head.behind:
        return Requirement("up to date", met=True, said=f"with {base}")
    said = f"{count(head.behind, 'commit')} of {base} missing"
    return Requirement("up to date", met=False, said=said)


def _merged(head: Head) -> Requirement:
    if head.merged:
        return Requirement("merged", met=True, said=f"#{head.number} is merged")
    state = "is open" if head.is_open else "was closed without being merged"
    return Requirement("merged", met=False, said=f"#{head.number} {state}")


def _people(logins: Collection[str]) -> str:
    return ", ".join(inline(login) for login in sorted(logins))
