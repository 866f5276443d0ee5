"""What is read of deliveries, from the very deliveries that the local GitHub sends."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from localhub import checks, issues, pulls, queue, reviews
from localhub.state import Protection, RequiredCheck
from localhub.webhooks import body_of
from tests import contracts
from tests.localhub.small_hub import SmallHub, small_hub
from vibeboard.github import payloads


@pytest.fixture
def small(tmp_path: Path) -> SmallHub:
    one = small_hub(tmp_path)
    queue.listen(one.hub)
    one.pull.draft = False
    return one


def last(small: SmallHub, event: str, action: str | None = None) -> str:
    """The newest delivery of a kind, as it is sent."""
    [installation] = small.hub.installations.values()
    for told in reversed(small.told):
        if told.event == event and action in (None, told.payload.get("action")):
            return body_of(small.hub, told, installation)
    raise AssertionError(event)


def report(small: SmallHub, sha: str, state: str) -> None:
    asked = {"context": "ci", "state": state}
    checks.set_status(small.hub, small.repository, sha, asked, actor=small.bob)


def queue_up(small: SmallHub) -> str:
    required = (RequiredCheck("ci"),)
    small.repository.protections["main"] = Protection(checks=required, queue=True)
    report(small, small.pull.head_sha, "success")
    queue.enqueue(small.hub, small.pull, actor=small.bob)
    return small.repository.queue[0].head_sha


def test_a_merge_group_names_its_pull_request(small: SmallHub) -> None:
    head = queue_up(small)

    body = last(small, "merge_group", "checks_requested")
    read = payloads.MergeGroupDelivery.model_validate_json(body)

    assert (read.merge_group.head_sha, read.merge_group.base_ref) == (
        head,
        "refs/heads/main",
    )
    assert read.merge_group.pull_request == small.pull.number
    assert read.reason is None
    assert read.repository.full_name == "acme/cart"


def test_a_destroyed_merge_group_tells_why(small: SmallHub) -> None:
    report(small, queue_up(small), "failure")

    body = last(small, "merge_group", "destroyed")
    read = payloads.MergeGroupDelivery.model_validate_json(body)

    assert read.reason == "dequeued"


@pytest.mark.parametrize(
    ("ref", "number"),
    [
        ("refs/heads/gh-readonly-queue/main/pr-7-c0ffee", 7),
        ("refs/heads/gh-readonly-queue/release/1.x/pr-12-c0ffee", 12),
        ("refs/heads/gh-readonly-queue/main/pr-7", None),
        ("refs/heads/gh-readonly-queue/main/pr-99999999999-c0ffee", None),
        ("refs/heads/gh-readonly-queue/a/pr-7-b/pr-8-c0ffee", 8),
        ("refs/heads/main", None),
    ],
)
def test_a_groups_branch_says_which_pull_request(ref: str, number: int | None) -> None:
    group = payloads.MergeGroup(
        head_sha="a", head_ref=ref, base_sha="b", base_ref="refs/heads/main"
    )

    assert group.pull_request == number


def test_a_status_tells_context_state_and_branches(small: SmallHub) -> None:
    report(small, small.pull.head_sha, "failure")

    read = payloads.StatusDelivery.model_validate_json(last(small, "status"))

    assert (read.sha, read.context, read.state) == (
        small.pull.head_sha,
        "ci",
        "failure",
    )
    assert [one.name for one in read.branches] == [small.pull.head_ref]


def test_a_check_tells_its_app_its_end_and_its_pull_requests(small: SmallHub) -> None:
    asked = {"name": "ci", "head_sha": small.pull.head_sha, "conclusion": "failure"}
    checks.create_run(
        small.hub, small.repository, small.app, asked, actor=small.app.bot
    )

    run = payloads.CheckRunDelivery.model_validate_json(
        last(small, "check_run", "completed")
    )
    suite = payloads.CheckSuiteDelivery.model_validate_json(
        last(small, "check_suite", "completed")
    )

    for one in (run.check_run, suite.check_suite):
        assert one.app is not None
        assert (one.app.id, one.app.slug) == (small.app.id, "vibe")
        assert (one.head_sha, one.conclusion) == (small.pull.head_sha, "failure")
        assert [each.number for each in one.pull_requests] == [small.pull.number]


def _merged(small: SmallHub) -> None:
    pulls.merge(small.hub, small.pull, actor=small.alice)


def _closed(small: SmallHub) -> None:
    issues.close(small.hub, small.pull, actor=small.alice)


def _drafted(small: SmallHub) -> None:
    pulls.set_draft(small.hub, small.pull, draft=True, actor=small.alice)


def _edited(small: SmallHub) -> None:
    issues.edit(small.hub, small.pull, actor=small.alice, title="Otherwise")


@pytest.mark.parametrize(
    ("deed", "action", "merged", "by", "draft"),
    [
        pytest.param(_merged, "closed", True, "alice", False, id="merged"),
        pytest.param(_closed, "closed", False, None, False, id="closed"),
        pytest.param(_drafted, "converted_to_draft", False, None, True, id="draft"),
        pytest.param(_edited, "edited", False, None, False, id="edited"),
    ],
)
def test_a_pull_request_tells_how_it_stands(
    small: SmallHub,
    deed: Callable[[SmallHub], None],
    action: str,
    *,
    merged: bool,
    by: str | None,
    draft: bool,
) -> None:
    head = small.pull.head_sha
    deed(small)

    body = last(small, "pull_request", action)
    read = payloads.PullRequestDelivery.model_validate_json(body)

    pull = read.pull_request
    assert (read.action, pull.merged, pull.draft) == (action, merged, draft)
    assert (pull.head.sha, pull.base.ref) == (head, "main")
    assert (pull.merged_by.login if pull.merged_by else None) == by
    assert pull.user is not None
    assert pull.user.login == "vibe[bot]"


def test_a_review_tells_who_gave_it_on_which_commit(small: SmallHub) -> None:
    given = reviews.create(
        small.hub, small.pull, actor=small.bob, body="Good.", event="APPROVE"
    )
    submitted = last(small, "pull_request_review", "submitted")
    reviews.dismiss(small.hub, given, "Too early", actor=small.alice)
    dismissed = last(small, "pull_request_review", "dismissed")

    for body, state, by in (
        (submitted, "approved", "bob"),
        (dismissed, "dismissed", "alice"),
    ):
        read = payloads.ReviewDelivery.model_validate_json(body)
        assert read.review.user is not None
        assert (read.review.user.login, read.sender.login) == ("bob", by)
        assert read.review.state == state
        assert read.review.commit_id == small.pull.head_sha


@pytest.mark.npm
@pytest.mark.parametrize(
    ("event", "model"),
    [
        ("check_run", payloads.CheckRunDelivery),
        ("check_suite", payloads.CheckSuiteDelivery),
        ("merge_group", payloads.MergeGroupDelivery),
        ("pull_request", payloads.PullRequestDelivery),
        ("pull_request_review", payloads.ReviewDelivery),
        ("status", payloads.StatusDelivery),
    ],
)
def test_githubs_own_examples_are_read(event: str, model: type[BaseModel]) -> None:
    events = contracts.document(contracts.WEBHOOK_EXAMPLES)
    examples = [one["examples"] for one in events if one["name"] == event]

    for example in examples[0] if examples else ():
        model.model_validate_json(json.dumps(example))


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"head_sha": None}, id="no head"),
        pytest.param({"base_ref": 7}, id="a number for a branch"),
    ],
)
def test_a_merge_group_that_lacks_what_it_must_have_is_malformed(
    small: SmallHub, broken: dict[str, Any]
) -> None:
    queue_up(small)
    sent = json.loads(last(small, "merge_group"))
    sent["merge_group"] |= broken

    with pytest.raises(ValidationError):
        payloads.MergeGroupDelivery.model_validate(sent)
