"""What the machine that carries out a run may ask for: its own run, and no more.

It works for one run, and whatever an agent made of it, it must not reach another
card, another repository, or words and checks that are somebody else's.
"""

from collections.abc import Mapping
from typing import Any

from vibeboard.domain import words
from vibeboard.domain.board import CardKey
from vibeboard.domain.prompt import parse_branch
from vibeboard.domain.question import Question
from vibeboard.domain.review import ReviewResult
from vibeboard.domain.run import Report, Run
from vibeboard.domain.workflow import Result, Review, Stage, Suite
from vibeboard.engine.ports import CheckRun
from vibeboard.errors import Broken, Fenced


class Forbidden(Broken):
    """A machine asked for what is not its run's."""


def admit(
    run: Run,
    stage: Stage | None,
    *,
    default_branch: str,
    port: str,
    method: str,
    arguments: Mapping[str, Any],
) -> dict[str, Any]:
    """The arguments as they may be used for ``run``; raises Forbidden or Fenced.

    What is said of the run itself is taken from here, but for who says it.
    """
    for name, value in arguments.items():
        _is_own(run, name, value)
    match port, method:
        case "repositories", "token":
            if arguments.get("approved") and not run.approved:
                raise Forbidden(_NOT_APPROVED)
        case "cards", "write_body":
            if stage is None or stage.result is not Result.ISSUE:
                raise Forbidden("this stage writes no spec")
        case "pulls", "ensure":
            _is_of_the_card(run, arguments["branch"])
            if arguments["base"] != default_branch:
                raise Forbidden(f"pull requests go into {default_branch}")
        case "runs", "end":
            _is_reportable(run, arguments["report"])
        case "checks", "put":
            _is_own_check(run, stage, arguments["check"])
        case (("evidence" | "reviews"), "keep"):
            _is_of_the_stage(stage, arguments)
        case _:
            pass
    return {name: _as_stored(run, value) for name, value in arguments.items()}


_NOT_APPROVED = "nobody has approved what this run pushes"


def _is_own(run: Run, name: str, value: Any) -> None:
    """Raise Forbidden for whatever belongs to another run, card or repository."""
    match value:
        case CardKey():
            other = value != run.card
        case Run():
            other = value.id != run.id or value.card != run.card
        case Question():
            other = value.run != run.id
        case str() if name in {"repository", "run"}:
            other = value != (run.id if name == "run" else run.card.repository)
        case _:
            other = False
    if other:
        message = f"{name} is not that of run {run.id}"
        raise Forbidden(message)


def _as_stored(run: Run, value: Any) -> Any:
    if not isinstance(value, Run):
        return value
    if (value.attempt, value.worker) != (run.attempt, run.worker):
        message = f"attempt {value.attempt} of run {run.id} is not the one that counts"
        raise Fenced(message)
    return run


def _is_of_the_card(run: Run, branch: str) -> None:
    if parse_branch(branch) != run.card.number:
        raise Forbidden("the branch is not the card's")


def _is_reportable(run: Run, report: Report) -> None:
    if report.branch is not None:
        # The card's next run works on it, and pushes there.
        _is_of_the_card(run, report.branch)


def _is_own_check(run: Run, stage: Stage | None, check: CheckRun) -> None:
    names = set()
    if stage is not None:
        names = {words.run_check(stage.name)}
        names |= {words.run_check(suite.name) for suite in stage.tests}
        names |= {words.review_check(review.name) for review in stage.reviews}
    if check.name not in names or check.external_id != run.id:
        raise Forbidden("the check is not one of this stage's")
    if check.buttons is not None or check.details_url is not None:
        raise Forbidden("a stage's check has neither buttons nor a link")


def _is_of_the_stage(stage: Stage | None, arguments: Mapping[str, Any]) -> None:
    """Raise Forbidden for a suite or review that the stage does not have."""
    # Its agent's limits may have been made tighter: they define no review.
    tests = {(one.name, one.definition) for one in stage.tests} if stage else set()
    looks = {(one.name, one.definition) for one in stage.reviews} if stage else set()
    what: Suite | Review = arguments.get("suite") or arguments["review"]
    result = arguments["result"]
    told = result.review if isinstance(result, ReviewResult) else result.suite
    known = looks if isinstance(what, Review) else tests
    if (what.name, what.definition) not in known or told != what.name:
        raise Forbidden("this stage has no such suite or review")
