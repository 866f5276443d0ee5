"""What the App asks for, with the reason, and how it is made from a manifest.

The one list that the set-up page, the docs and ``vibeboard doctor`` show.
Source: docs.github.com, "Registering a GitHub App from a manifest".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from vibeboard.engine.ports import Clock
from vibeboard.github.answers import read
from vibeboard.github.connection import Connection
from vibeboard.github.objects import Conversion
from vibeboard.github.transport import Access

_STRENGTH = {"read": 1, "write": 2, "admin": 3}


@dataclass(frozen=True)
class Need:
    """A permission the App cannot do without, or, if ``fleet``, runs on Actions."""

    permission: str
    access: str
    reason: str
    fleet: bool = False


NEEDS: Sequence[Need] = (
    Need("metadata", "read", "to know who may start and stop agents"),
    Need("contents", "write", "to read .vibe.yml, to clone, and to push branches"),
    Need("issues", "write", "to read cards, and to comment and react on them"),
    Need("pull_requests", "write", "to open draft pull requests and answer reviews"),
    Need("checks", "write", "to show runs and tests on commits"),
    Need("statuses", "read", "to see what others report about commits"),
    Need("deployments", "read", "to show where a change can be looked at"),
    Need("merge_queues", "read", "to be told what a merge queue wants checked"),
    Need(
        "actions",
        "write",
        "to give runs to GitHub Actions, if you want that",
        fleet=True,
    ),
    Need("organization_projects", "write", "to see boards and to move cards"),
)

# What GitHub sends. Installations are told without being asked for, and a
# manifest that asks for them is refused.
EVENTS: Mapping[str, str] = {
    "projects_v2_item": "a card moved",
    "issue_comment": "somebody wrote a command",
    "issues": "an issue was closed while an agent works on it",
    "pull_request": "a pull request has a new head",
    "pull_request_review": "somebody reviewed an agent's work",
    "pull_request_review_comment": "somebody remarked on a line of it",
    "check_run": "somebody asked to run a check again",
    "check_suite": "what others check on a head has ended",
    "status": "what others report about a head has changed",
    "deployment_status": "a preview of a change is there, or gone",
    "merge_group": "a merge queue tries a merge",
    "workflow_run": "what carried a run out on GitHub Actions has ended",
    "push": ".vibe.yml changed",
}


@dataclass(frozen=True)
class NewApp:
    """An App that was just made: all there is to configure, told only once."""

    app_id: int
    slug: str
    client_id: str
    url: str
    client_secret: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    private_key: str = field(repr=False)


def manifest(*, name: str, url: str) -> Mapping[str, object]:
    """The manifest to post to GitHub; ``url`` is where our server is reached."""
    address = url.rstrip("/")
    return {
        "name": name,
        "url": address,
        "description": "Turns a board into a workflow for coding agents.",
        "hook_attributes": {"url": f"{address}/webhook", "active": True},
        "redirect_url": f"{address}/setup/done",
        "public": False,
        "default_permissions": {need.permission: need.access for need in NEEDS},
        "default_events": list(EVENTS),
    }


def missing(granted: Mapping[str, str], *, fleet: bool = False) -> Sequence[Need]:
    """The needs that an installation's permissions do not meet.

    ``fleet`` says whether runs are given to GitHub Actions.
    """
    return [
        need
        for need in NEEDS
        if (fleet or not need.fleet)
        and _STRENGTH.get(granted.get(need.permission, ""), 0) < _STRENGTH[need.access]
    ]


async def exchange(
    code: str, *, api_url: str, session: aiohttp.ClientSession, clock: Clock
) -> NewApp:
    """Turn the code GitHub sent back into the App; it works once, for an hour."""
    anybody = Connection(Access(session, api_url), None, now=clock.now)
    answer = await anybody.post("/app-manifests/{code}/conversions", {"code": code}, {})
    made = read(Conversion, answer)
    return NewApp(
        app_id=made.id,
        slug=made.slug,
        client_id=made.client_id,
        url=made.html_url,
        client_secret=made.client_secret,
        webhook_secret=made.webhook_secret or "",
        private_key=made.pem,
    )
