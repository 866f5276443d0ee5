"""The one place that writes GitHub's JSON: REST answers and webhook payloads.

Every function takes the hub (for addresses) and a thing of the state. One module a
noun; what REST and webhooks share is written once.
"""

from localhub.render.accounts import app, installation, organization, user
from localhub.render.checks import (
    check_run,
    check_run_event,
    check_suite,
    status_event,
)
from localhub.render.issues import REACTIONS, comment, issue, label, reaction
from localhub.render.pulls import pull, pull_simple, review, review_comment
from localhub.render.repositories import repository

__all__ = [
    "REACTIONS",
    "app",
    "check_run",
    "check_run_event",
    "check_suite",
    "comment",
    "installation",
    "issue",
    "label",
    "organization",
    "pull",
    "pull_simple",
    "reaction",
    "repository",
    "review",
    "review_comment",
    "status_event",
    "user",
]
