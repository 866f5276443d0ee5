"""What a job is given, and what it makes of it."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from vibeboard.action.event import Refused, again, read_event
from vibeboard.action.inputs import Inputs, read_inputs
from vibeboard.action.preview import read_wish
from vibeboard.errors import SettingsInvalid


def environment(tmp_path: Path, **given: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "GITHUB_REPOSITORY": "acme/clock",
        "GITHUB_EVENT_NAME": "issue_comment",
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_ACTOR": "alice",
        "GITHUB_RUN_ID": "77",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_API_URL": "https://api.github.com",
        "GITHUB_SERVER_URL": "https://github.com",
        "RUNNER_TEMP": str(tmp_path),
        "VIBEBOARD_ACTION_GITHUB_TOKEN": "ghs_token",
        **given,
    }


def inputs(tmp_path: Path, payload: Any = None, **given: str) -> Inputs:
    (tmp_path / "event.json").write_text(json.dumps(payload or {}))
    return read_inputs(environment(tmp_path, **given))


def test_a_job_as_it_usually_is(tmp_path: Path) -> None:
    found = inputs(
        tmp_path,
        VIBEBOARD_ACTION_ISSUE="#5",
        VIBEBOARD_ACTION_COMMAND="develop",
        VIBEBOARD_ACTION_ANTHROPIC_API_KEY="sk-key\n",
        GITHUB_RUN_ATTEMPT="2",
        GITHUB_TRIGGERING_ACTOR="bob",
    )

    assert (found.worker, found.actor, found.issue) == ("actions-77-2", "bob", "5")
    assert found.url == "https://github.com/acme/clock/actions/runs/77/attempts/2"
    assert (found.sandbox, found.secrets) == ("preferred", ("ghs_token", "sk-key"))
    assert "ghs_token" not in repr(found)
    assert "sk-key" not in repr(found)


def test_every_fault_is_told_at_once_by_the_name_that_was_typed(tmp_path: Path) -> None:
    given = environment(
        tmp_path,
        GITHUB_RUN_ID="seven",
        VIBEBOARD_ACTION_SANDBOX="maybe",
        VIBEBOARD_ACTION_COMMAND="develop",
        VIBEBOARD_ACTION_SERVER="vibeboard.example",
        VIBEBOARD_ACTION_RUN="",
        VIBEBOARD_ACTION_ANTHROPIC_API_KEY="sk-secret",
    )
    del given["GITHUB_REPOSITORY"]

    with pytest.raises(SettingsInvalid) as raised:
        read_inputs(given)

    told = str(raised.value).splitlines()
    assert [line for line in told if "GITHUB_REPOSITORY is not set" in line]
    assert [line for line in told if "GITHUB_RUN_ID is no number: 'seven'" in line]
    for name in ("`sandbox`", "`server` and `run`", "no address", "`issue`"):
        assert [line for line in told if name in line], name
    assert [line for line in told if "`id-token: write`" in line]
    assert "sk-secret" not in str(raised.value)


def test_a_job_is_told_of_a_deployment_by_the_job_before(tmp_path: Path) -> None:
    payload = {
        "pull_request": {
            "head": {
                "ref": "vibe/5-tock",
                "sha": "c0ffee",
                "repo": {"full_name": "acme/clock"},
            }
        },
        "repository": {"full_name": "acme/clock"},
        "sender": {"login": "bob"},
    }

    job = inputs(tmp_path, payload, VIBEBOARD_ACTION_DEPLOYMENT="9", GITHUB_SHA="beef")
    found = read_event(job)

    said = json.loads(found.body)
    assert (found.event, job.is_news) == ("deployment_status", True)
    assert said["deployment"] == {"id": 9, "ref": "vibe/5-tock", "sha": "c0ffee"}
    with pytest.raises(SettingsInvalid, match="`deployment` is no number: 'nine'"):
        inputs(tmp_path, VIBEBOARD_ACTION_DEPLOYMENT="nine")


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("PULL_REQUEST", "two", "`pull-request` is no number: 'two'"),
        ("COMMIT", "c0ffee", "`commit` is no whole commit: 'c0ffee'"),
        ("URL", "javascript:x", "`url` is no web address: 'javascript:x'"),
        ("STATE", "done", "`state` is 'done'; it is one of success, failure, removed"),
        ("GITHUB_TOKEN", "", "`github-token` is empty"),
    ],
)
def test_a_preview_that_cannot_be_told_of(
    tmp_path: Path, name: str, value: str, fault: str
) -> None:
    given = {"PULL_REQUEST": "#2", "COMMIT": "a" * 40, "URL": "https://pr-2.example"}
    ready = {f"VIBEBOARD_ACTION_{key}": said for key, said in given.items()}
    right = environment(tmp_path, **ready)

    wish = read_wish(right)

    assert (wish.environment, wish.pull_request) == ("preview/pr-2", 2)
    with pytest.raises(SettingsInvalid, match=re.escape(fault)):
        read_wish({**right, f"VIBEBOARD_ACTION_{name}": value})


def test_a_server_or_a_token_is_needed(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="`github-token` is empty"):
        inputs(tmp_path, VIBEBOARD_ACTION_GITHUB_TOKEN=" ")
    served = inputs(
        tmp_path,
        VIBEBOARD_ACTION_GITHUB_TOKEN="",
        VIBEBOARD_ACTION_SERVER="https://vibeboard.example/",
        VIBEBOARD_ACTION_RUN="r1",
        ACTIONS_ID_TOKEN_REQUEST_URL="https://oidc.example?v=1",
        ACTIONS_ID_TOKEN_REQUEST_TOKEN="key",
    )
    assert (served.server, served.run) == ("https://vibeboard.example", "r1")


def test_a_command_given_by_hand_is_its_actors(tmp_path: Path) -> None:
    found = inputs(
        tmp_path,
        {"sender": {"login": "carol"}},
        GITHUB_EVENT_NAME="schedule",
        VIBEBOARD_ACTION_COMMAND="develop",
        VIBEBOARD_ACTION_ISSUE="5",
    )

    started = read_event(found)

    assert (started.event, started.guid) == ("workflow_dispatch", "actions-77-1")
    assert json.loads(started.body) == {
        "inputs": {"command": "develop", "issue": "5"},
        "repository": {"full_name": "acme/clock"},
        "sender": {"login": "carol", "type": "User"},
    }


def test_who_starts_a_job_again_answers_for_it(tmp_path: Path) -> None:
    found = inputs(
        tmp_path,
        {"sender": {"login": "carol"}},
        GITHUB_RUN_ATTEMPT="2",
        GITHUB_TRIGGERING_ACTOR="robot[bot]",
        VIBEBOARD_ACTION_COMMAND="develop",
        VIBEBOARD_ACTION_ISSUE="5",
    )

    robot = {"login": "robot[bot]", "type": "Bot"}
    assert json.loads(read_event(found).body)["sender"] == robot
    retried = again(found, 5)
    assert json.loads(retried.body)["inputs"]["command"] == "/agent retry"
    assert json.loads(retried.body)["sender"] == robot
    assert retried.guid != read_event(found).guid


FORK = {"head": {"repo": {"full_name": "mallory/clock"}}}
GONE = {"head": {"repo": None}}


@pytest.mark.parametrize(
    ("event", "pull", "told"),
    [
        ("pull_request_target", None, "the keys of this"),
        ("pull_request_review", FORK, "comes from a fork"),
        ("pull_request_review_comment", GONE, "comes from a fork"),
    ],
)
def test_what_sets_no_agent_going(
    tmp_path: Path, event: str, pull: Any, told: str
) -> None:
    payload = {"repository": {"full_name": "acme/clock"}}
    if pull is not None:
        payload["pull_request"] = pull

    with pytest.raises(Refused, match=told):
        read_event(inputs(tmp_path, payload, GITHUB_EVENT_NAME=event))


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_an_event_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    found = inputs(tmp_path)
    found.event_file.write_text(text)

    with pytest.raises(SettingsInvalid, match="GITHUB_EVENT_PATH"):
        read_event(found)
