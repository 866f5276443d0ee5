"""Deliveries in GitHub's words become events in ours."""

import json
from dataclasses import replace
from typing import Any

import pytest

from vibeboard.domain.board import Actor, CardKey
from vibeboard.domain.events import (
    CardTouched,
    CheckAsked,
    CommentMade,
    ConfigurationChanged,
    Event,
    GroupFormed,
    InstallationChanged,
    IssueClosed,
    PostingEnded,
    PullRequestUpdated,
    ReviewGiven,
)
from vibeboard.domain.workflow import AGENT_FILE
from vibeboard.errors import MalformedDelivery
from vibeboard.github.translate import translate, translate_job

ALICE = {"login": "alice", "type": "User"}
REPOSITORY = {"full_name": "acme/shop", "default_branch": "main"}


def read(event: str, payload: Any) -> Event | None:
    return translate(event, json.dumps(payload).encode(), guid="guid-1")


# --- Cards ------------------------------------------------------------------


def item(action: str, content: str = "Issue", **more: Any) -> dict[str, Any]:
    place = {"id": 1, "content_node_id": "I_1", "content_type": content}
    return {
        "action": action,
        "projects_v2_item": place,
        "organization": {"login": "acme"},
        "sender": ALICE,
        **more,
    }


def field(kind: str, name: str = "Status") -> dict[str, Any]:
    change = {"field_type": kind, "field_name": name, "from": {"name": "Backlog"}}
    return {"field_value": change}


@pytest.mark.parametrize(
    "action",
    [
        "created",
        "edited",
        "archived",
        "restored",
        "deleted",
        "converted",
    ],
)
def test_whatever_happens_to_a_card_touches_it(action: str) -> None:
    assert read("projects_v2_item", item(action)) == CardTouched(
        by=Actor("alice"), owner="acme", issue="I_1"
    )


def test_a_move_tells_its_field() -> None:
    moved = read("projects_v2_item", item("edited", changes=field("single_select")))

    assert moved == CardTouched(
        Actor("alice"), "acme", "I_1", field="Status", before="Backlog"
    )


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(item("reordered"), id="a drag within its column"),
        pytest.param(item("edited", changes=field("text")), id="a text field"),
        pytest.param(item("edited", changes={"body": {}}), id="a draft's body"),
        pytest.param(item("created", "DraftIssue"), id="a draft"),
        pytest.param(item("edited", "PullRequest"), id="a pull request"),
        pytest.param(item("polished"), id="an action of the future"),
    ],
)
def test_what_moves_no_card_is_nothing(payload: dict[str, Any]) -> None:
    assert read("projects_v2_item", payload) is None


def test_a_draft_that_becomes_an_issue_touches_its_card() -> None:
    assert read("projects_v2_item", item("converted", "DraftIssue")) is not None


# --- Conversations ------------------------------------------------------------


def comment(action: str = "created", **issue: Any) -> dict[str, Any]:
    return {
        "action": action,
        "comment": {"id": 5, "body": "/agent help"},
        "issue": {"number": 7, **issue},
        "repository": REPOSITORY,
        "sender": ALICE,
    }


def test_a_comment_on_an_issue() -> None:
    assert read("issue_comment", comment()) == CommentMade(
        by=Actor("alice"),
        repository="acme/shop",
        number=7,
        comment=5,
        body="/agent help",
        on_pull_request=False,
    )


def labelled(name: str, number: int = 7) -> dict[str, Any]:
    return {
        "action": "labeled",
        "issue": {"number": number, "updated_at": "2026-01-02T03:04:05Z"},
        "label": {"name": name},
        "repository": REPOSITORY,
        "sender": ALICE,
    }


def test_a_label_may_be_a_command() -> None:
    event = read("issues", labelled("agent:develop"))

    assert event == CommentMade(
        by=Actor("alice"),
        repository="acme/shop",
        number=7,
        comment=None,
        body="/agent develop",
        on_pull_request=False,
        given="label-develop-2026-01-02T03:04:05Z",
    )


@pytest.mark.parametrize("name", ["bug", "agent", "agent:", "agents:develop"])
def test_other_labels_are_none(name: str) -> None:
    assert read("issues", labelled(name)) is None


@pytest.mark.parametrize("command", ["develop fast", "/agent develop fast"])
def test_who_starts_a_workflow_may_give_a_command(command: str) -> None:
    payload = {
        "inputs": {"command": command, "issue": "7", "server": ""},
        "repository": REPOSITORY,
        "sender": ALICE,
    }
    body = json.dumps(payload).encode()

    event = translate_job("workflow_dispatch", body, guid="g")

    assert isinstance(event, CommentMade)
    assert (event.body, event.number, event.comment, event.name) == (
        "/agent develop fast",
        7,
        None,
        "",
    )
    assert translate("workflow_dispatch", body, guid="g") is None  # a server's


@pytest.mark.parametrize(
    "inputs", [None, {}, {"command": "stop", "issue": ""}, {"issue": "7"}]
)
def test_a_workflow_that_was_started_for_something_else(inputs: object) -> None:
    payload = {"inputs": inputs, "repository": REPOSITORY, "sender": ALICE}
    body = json.dumps(payload).encode()

    assert translate_job("workflow_dispatch", body, guid="g") is None


def test_a_comment_on_a_pull_request_says_so() -> None:
    made = read("issue_comment", comment(pull_request={"url": "…"}))

    assert isinstance(made, CommentMade)
    assert made.on_pull_request


@pytest.mark.parametrize("action", ["edited", "deleted"])
def test_only_a_created_comment_counts(action: str) -> None:
    assert read("issue_comment", comment(action)) is None


def test_an_app_is_a_bot() -> None:
    payload = comment() | {"sender": {"login": "robot[bot]", "type": "Bot"}}

    made = read("issue_comment", payload)

    assert isinstance(made, CommentMade)
    assert made.by == Actor("robot[bot]", is_bot=True)


@pytest.mark.parametrize("action", ["closed", "deleted", "transferred"])
def test_an_issue_that_is_gone_is_closed(action: str) -> None:
    closed = read("issues", comment(action))

    assert closed == IssueClosed(by=Actor("alice"), card=CardKey("acme/shop", 7))


# --- Pull requests ------------------------------------------------------------


BASE = {"ref": "main", "sha": "ba5e"}


def pull(action: str, source: str | None = "acme/shop", **more: Any) -> dict[str, Any]:
    head = {
        "ref": "vibe/7-clock",
        "sha": "c0ffee",
        "repo": {"full_name": source} if source else None,
    }
    return {
        "action": action,
        "pull_request": {"number": 8, "head": head, "base": BASE},
        "repository": REPOSITORY,
        "sender": ALICE,
        **more,
    }


REVIEW = {"id": 5, "commit_id": "c0ffee"}
UPDATED = PullRequestUpdated(
    by=Actor("alice"),
    repository="acme/shop",
    pull_request=8,
    head="c0ffee",
    branch="vibe/7-clock",
)


@pytest.mark.parametrize(
    "action", ["opened", "reopened", "synchronize", "ready_for_review"]
)
def test_a_pull_request_with_a_new_head(action: str) -> None:
    assert read("pull_request", pull(action)) == UPDATED


def test_a_pull_request_that_is_closed_concerns_gates() -> None:
    found = read("pull_request", pull("closed"))

    assert found == replace(UPDATED, new_head=False)


@pytest.mark.parametrize("state", ["changes_requested", "commented"])
def test_a_review_with_words_asks_for_work(state: str) -> None:
    payload = pull("submitted", review=REVIEW | {"state": state, "body": "Use UTC."})

    assert read("pull_request_review", payload) == ReviewGiven(
        by=Actor("alice"),
        repository="acme/shop",
        pull_request=8,
        branch="vibe/7-clock",
        body="Use UTC.",
        review=5,
    )


@pytest.mark.parametrize(
    ("action", "state", "body"),
    [
        pytest.param("submitted", "approved", "", id="an approval"),
        pytest.param("submitted", "approved", "Nice.", id="an approval with words"),
        pytest.param("submitted", "changes_requested", None, id="without words"),
        pytest.param("dismissed", "dismissed", "Stale.", id="a dismissal"),
    ],
)
def test_a_review_that_only_gates_look_at(
    action: str, state: str, body: str | None
) -> None:
    payload = pull(action, review=REVIEW | {"state": state, "body": body})

    assert read("pull_request_review", payload) == replace(UPDATED, new_head=False)


@pytest.mark.parametrize("body", ["", None, " \n"])
def test_a_review_that_only_groups_remarks_is_nothing(body: str | None) -> None:
    payload = pull("submitted", review=REVIEW | {"state": "commented", "body": body})

    assert read("pull_request_review", payload) is None


def test_a_merge_queue_asks() -> None:
    group = {
        "head_sha": "c0ffee",
        "head_ref": "refs/heads/gh-readonly-queue/main/pr-8-beef",
        "base_sha": "beef",
        "base_ref": "refs/heads/main",
    }
    asked = {**pull("checks_requested"), "merge_group": group}

    assert read("merge_group", asked) == GroupFormed(
        by=Actor("alice"), repository="acme/shop", head="c0ffee", pull_requests=(8,)
    )


def workflow_run(action: str, **told: Any) -> dict[str, Any]:
    whole = {"id": 41, "path": AGENT_FILE, "event": "workflow_dispatch"}
    return {**pull(action), "workflow_run": {**whole, **told}}


@pytest.mark.parametrize("path", [AGENT_FILE, f"{AGENT_FILE}@main"])
def test_the_end_of_what_carries_runs_out_is_told(path: str) -> None:
    ended = PostingEnded(Actor("alice"), "acme/shop", 41)

    assert read("workflow_run", workflow_run("completed", path=path)) == ended


@pytest.mark.parametrize(
    "other",
    [
        workflow_run("requested"),
        workflow_run("in_progress"),
        workflow_run("completed", path=".github/workflows/ci.yml"),
        workflow_run("completed", event="push"),
    ],
)
def test_other_workflow_runs_are_none_of_ours(other: dict[str, Any]) -> None:
    assert read("workflow_run", other) is None


REMARK = {
    "id": 9,
    "body": "Why?",
    "path": "clock.py",
    "line": 3,
    "original_line": 2,
    "diff_hunk": "@@ -1 +1 @@",
}


def test_a_remark_at_a_line() -> None:
    payload = pull("created", comment=REMARK)

    assert read("pull_request_review_comment", payload) == ReviewGiven(
        by=Actor("alice"),
        repository="acme/shop",
        pull_request=8,
        branch="vibe/7-clock",
        body="Why?",
        comment=9,
        path="clock.py",
        line=3,
        hunk="@@ -1 +1 @@",
    )


def test_an_outdated_remark_has_its_original_line() -> None:
    payload = pull("created", comment=REMARK | {"line": None})

    given = read("pull_request_review_comment", payload)

    assert isinstance(given, ReviewGiven)
    assert given.line == 2


@pytest.mark.parametrize("source", ["mallory/shop", None])
def test_a_forks_branch_is_never_taken_for_ours(source: str | None) -> None:
    review = {"id": 5, "state": "commented", "body": "Go on"}

    assert read("pull_request_review", pull("submitted", source, review=review)) is None
    assert (
        read("pull_request_review_comment", pull("created", source, comment=REMARK))
        is None
    )


# --- Checks, installations, pushes -----------------------------------------------


@pytest.mark.parametrize(
    ("action", "more", "pressed"),
    [
        ("rerequested", {}, ""),
        (
            "requested_action",
            {"requested_action": {"identifier": "allow q1"}},
            "allow q1",
        ),
    ],
)
def test_a_check_asked_for_again(
    action: str, more: dict[str, object], pressed: str
) -> None:
    check = {"name": "vibeboard / qa", "head_sha": "c0ffee", "external_id": "01J"}
    payload = {
        "action": action,
        "check_run": check,
        "repository": REPOSITORY,
        "sender": ALICE,
        **more,
    }

    assert read("check_run", payload) == CheckAsked(
        by=Actor("alice"),
        repository="acme/shop",
        check="vibeboard / qa",
        head="c0ffee",
        run="01J",
        pressed=pressed,
    )


def test_an_installation_with_its_repositories() -> None:
    payload = {
        "action": "created",
        "installation": {"id": 1, "account": {"login": "acme", "type": "User"}},
        "repositories": [{"full_name": "acme/shop"}],
        "sender": ALICE,
    }

    assert read("installation", payload) == InstallationChanged(
        by=Actor("alice"), account="acme", what="created", repositories=("acme/shop",)
    )


def test_repositories_given_and_taken() -> None:
    payload = {
        "action": "removed",
        "installation": {"account": {"login": "acme"}},
        "repositories_added": [],
        "repositories_removed": [{"full_name": "acme/shop"}],
        "sender": ALICE,
    }

    changed = read("installation_repositories", payload)

    assert isinstance(changed, InstallationChanged)
    assert (changed.what, changed.repositories) == ("removed", ("acme/shop",))


def push(**more: Any) -> dict[str, Any]:
    return {
        "ref": "refs/heads/main",
        "after": "c0ffee",
        "commits": [{"added": [], "modified": ["README.md"], "removed": []}],
        "repository": REPOSITORY,
        "sender": ALICE,
        **more,
    }


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(push(commits=[{"added": [".vibe.yml"]}]), id="added"),
        pytest.param(push(commits=[{"modified": [".vibe.yml"]}]), id="modified"),
        pytest.param(push(commits=[{"removed": [".vibe.yml"]}]), id="removed"),
        pytest.param(push(forced=True), id="perhaps, by a forced push"),
        pytest.param(push(commits=[]), id="perhaps, in commits not listed"),
        pytest.param(push(commits=[{}] * 2048), id="perhaps, in a cut list"),
    ],
)
def test_a_push_that_touches_the_configuration(payload: dict[str, Any]) -> None:
    assert read("push", payload) == ConfigurationChanged(
        by=Actor("alice"), repository="acme/shop", commit="c0ffee"
    )


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(push(), id="another file"),
        pytest.param(push(ref="refs/heads/x", forced=True), id="another branch"),
        pytest.param(push(ref="refs/tags/main", forced=True), id="a tag"),
        pytest.param(push(deleted=True, commits=[]), id="the branch is gone"),
    ],
)
def test_a_push_that_changes_no_configuration(payload: dict[str, Any]) -> None:
    assert read("push", payload) is None


# --- Bad input ----------------------------------------------------------------


@pytest.mark.parametrize("event", ["ping", "star", "", "PUSH", "../push"])
def test_an_event_we_do_not_know_is_nothing_whatever_its_body(event: str) -> None:
    assert translate(event, b"\xff[", guid="guid-1") is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[" * 200_000, id="depth"),
        pytest.param(b'{"comment":' * 200_000, id="deep objects"),
        pytest.param(b"[]", id="an array"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"text"', id="a string"),
        pytest.param(b"NaN", id="not a number"),
        pytest.param(b"\xff\xfe{}", id="bytes that are no UTF-8"),
        pytest.param(b'{"action": "created"', id="half a body"),
        pytest.param(b"{}", id="no action"),
        pytest.param(b'{"action": "created"}', id="fields missing"),
        pytest.param(b'{"action": "\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'{"action": ["created"]}', id="an action that is no word"),
    ],
)
def test_a_known_event_that_cannot_be_read_names_its_delivery(body: bytes) -> None:
    with pytest.raises(MalformedDelivery, match="guid-1"):
        translate("issue_comment", body, guid="guid-1")


@pytest.mark.parametrize("number", ["NaN", "1e400", "-1", "9" * 5_000, str(2**63)])
def test_a_number_no_database_holds_is_refused(number: str) -> None:
    body = json.dumps(comment()).replace('"number": 7', f'"number": {number}')

    with pytest.raises(MalformedDelivery, match="guid-1"):
        translate("issue_comment", body.encode(), guid="guid-1")


def test_a_nul_character_does_not_reach_the_database() -> None:
    payload = comment()
    payload["comment"]["body"] = "a\0b"

    made = read("issue_comment", payload)

    assert isinstance(made, CommentMade)
    assert made.body == "a\N{REPLACEMENT CHARACTER}b"


def test_the_complaint_repeats_no_value_of_the_payload() -> None:
    payload = comment() | {"sender": {"login": ["hunter2"]}}

    with pytest.raises(MalformedDelivery) as caught:
        read("issue_comment", payload)

    assert "hunter2" not in str(caught.value)
    assert "sender.login" in str(caught.value)
