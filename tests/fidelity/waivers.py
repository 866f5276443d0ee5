"""Where GitHub's published contracts are wrong or behind, each place with the reason.

A waiver covers complaints that match its pattern and nothing else; one that covers
nothing any more has to go.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Waiver:
    """Complaints that are the contract's fault."""

    pattern: str
    reason: str

    def covers(self, complaint: str) -> bool:
        return re.search(self.pattern, complaint) is not None


REST = (
    Waiver(
        r"^GET /app/installations 200: answer /\d+/account: "
        r"('(name|slug|created_at|updated_at)' is a required property|Additional )",
        "In this list the description wants an account to be a user and an enterprise "
        "at once (allOf); a single installation's is either (anyOf).",
    ),
    Waiver(
        r"^GET /app/installations 200: answer /\d+: Additional .*\('client_id' ",
        "The list's copy of an installation lacks what the single one has.",
    ),
    Waiver(
        r"^GET /app/installations 200: answer /\d+/permissions: Additional "
        r".*\('merge_queues' ",
        "The list's copy of the permissions is older than a single installation's.",
    ),
    Waiver(
        r"^PATCH /repos/\S+/issues/\S+ 200: answer /: Additional ",
        "The answer is an issue and something more (allOf); taken strictly, neither "
        "may have what the other has.",
    ),
    Waiver(
        r"^POST /app-manifests/\S+ 201: answer /: Additional .*"
        r"\('client_secret', 'pem', 'webhook_secret' ",
        "The answer is an App and its secrets (allOf), as above.",
    ),
    Waiver(
        r"^GET /installation/repositories 200: answer /repositories/\d+: Additional ",
        "Each is a repository and something more (allOf), as above.",
    ),
    Waiver(
        r": Additional properties are not allowed \('archived_at', 'archived_by' ",
        "Labels can be archived since 2026; this description is older.",
    ),
    Waiver(
        r" (405|409|422): answer /: Additional properties are not allowed \('status' ",
        "Every error has its status in its body; only some are described with it.",
    ),
    Waiver(
        r"^GET /repos/\S+/contents/\S+ 200: answer MediaTypeNotFound: .*github\.raw",
        "The raw media type is documented in prose only.",
    ),
    Waiver(
        r"^GET /repos/\S+/pulls/\S+ 200: answer MediaTypeNotFound: .*github\.diff",
        "The diff media type is documented in prose only.",
    ),
    Waiver(
        r"^PUT /repos/\S+/contents/\S+ 409: answer /: .* is valid under each of",
        "Every plain refusal is a rule violation, too, as far as the schema says.",
    ),
)
GRAPHQL = (
    Waiver(
        r"because they return conflicting types",
        "GitHub lets a field have two types on two kinds that exclude each other, "
        "and its own gh relies on it.",
    ),
)
WEBHOOKS = (
    Waiver(
        r"^projects_v2_item\.edited: /changes/field_value/(from|to): None ",
        "A card without a value has null there; the schema lists only values, its "
        "prose and GitHub's deliveries have null.",
    ),
    Waiver(
        r"/events/\d+: '(projects_v2\w*|merge_group|workflow_job)' is not one of ",
        "An App subscribes to boards, merge groups and jobs; the list of an App's "
        "events in these older payload schemas stops before them.",
    ),
)


def unwaived(complaints: Iterable[str], waivers: Iterable[Waiver]) -> list[str]:
    """Give the complaints that nothing covers, each once."""
    waivers = tuple(waivers)
    left = {one for one in complaints if not any(each.covers(one) for each in waivers)}
    return sorted(left)


def unused(complaints: Iterable[str], waivers: Iterable[Waiver]) -> list[str]:
    """Give the patterns of waivers that cover nothing."""
    complaints = set(complaints)
    return [
        each.pattern
        for each in waivers
        if not any(each.covers(one) for one in complaints)
    ]
