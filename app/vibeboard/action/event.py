"""What started the job, read once; and what no job of ours answers."""

import json
from dataclasses import dataclass
from typing import Any

from vibeboard.action.inputs import Inputs
from vibeboard.errors import SettingsInvalid

_HOOK = "actions"
_DEPLOYED = "deployment_status"


@dataclass(frozen=True)
class Started:
    """The job's event, as a delivery."""

    event: str
    guid: str
    body: bytes
    hook: str = _HOOK


class Refused(Exception):  # noqa: N818 - an event
    """An event that must not set an agent going; the message says why."""


def read_event(inputs: Inputs) -> Started:
    """What started the job; raises Refused, or SettingsInvalid without an event."""
    guid = f"{_HOOK}-{inputs.workflow_run}-{inputs.attempt}"
    payload = _payload(inputs)
    _refuse(inputs.event, payload)
    if inputs.deployment:
        return _deployed(inputs, payload, guid)
    if not inputs.command:
        return Started(inputs.event, guid, json.dumps(payload).encode())
    # By hand, or by another workflow: as if whoever started it had said so.
    said = {
        "inputs": {"command": inputs.command, "issue": inputs.issue},
        "repository": {"full_name": inputs.repository},
        "sender": _sender(inputs, payload),
    }
    return Started("workflow_dispatch", guid, json.dumps(said).encode())


def _deployed(inputs: Inputs, payload: dict[str, Any], guid: str) -> Started:
    """A job before this one told GitHub of a deployment; GitHub tells no job of it."""
    head = (payload.get("pull_request") or {}).get("head") or {}
    said = {
        "action": "created",
        "deployment": {
            "id": int(inputs.deployment),
            "ref": head.get("ref") or inputs.ref,
            "sha": head.get("sha") or inputs.commit,
        },
        "deployment_status": {"state": "success"},  # as it stands is looked up
        "repository": {"full_name": inputs.repository},
        "sender": _sender(inputs, payload),
    }
    return Started(_DEPLOYED, guid, json.dumps(said).encode())


def again(inputs: Inputs, number: int) -> Started:
    """The job was started once more by hand: the same as ``/agent retry``."""
    said = {
        "inputs": {"command": "/agent retry", "issue": str(number)},
        "repository": {"full_name": inputs.repository},
        "sender": {"login": inputs.actor, "type": _type_of(inputs.actor)},
    }
    guid = f"{_HOOK}-{inputs.workflow_run}-{inputs.attempt}-again"
    return Started("workflow_dispatch", guid, json.dumps(said).encode())


def _payload(inputs: Inputs) -> dict[str, Any]:
    try:
        payload = json.loads(inputs.event_file.read_bytes())
    except (OSError, ValueError) as error:
        message = f"GITHUB_EVENT_PATH: the event cannot be read: {error}"
        raise SettingsInvalid(message) from error
    if not isinstance(payload, dict):
        raise SettingsInvalid("GITHUB_EVENT_PATH: the event is no JSON object")
    return payload


def _refuse(event: str, payload: dict[str, Any]) -> None:
    if event == "pull_request_target":
        raise Refused(
            "`pull_request_target` gives whoever opens a pull request the keys of this "
            "repository; start the workflow on `issue_comment` instead"
        )
    pull = payload.get("pull_request")
    if not isinstance(pull, dict):
        return
    source = ((pull.get("head") or {}).get("repo") or {}).get("full_name")
    ours = (payload.get("repository") or {}).get("full_name")
    if source != ours:
        raise Refused(
            "the pull request comes from a fork: no agent works on what strangers push"
        )


def _sender(inputs: Inputs, payload: dict[str, Any]) -> dict[str, str]:
    sender = payload.get("sender")
    login = sender.get("login") if isinstance(sender, dict) else None
    if inputs.attempt > 1 or not isinstance(login, str):
        login = inputs.actor
    return {"login": login, "type": _type_of(login)}


def _type_of(login: str) -> str:
    return "Bot" if login.endswith("[bot]") else "User"
