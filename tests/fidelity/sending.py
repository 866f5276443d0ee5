"""Webhooks held against GitHub's published schemas and against githubkit."""

import json
from functools import cache
from typing import Any

from githubkit import webhooks as githubkit_webhooks
from openapi_schema_validator import OAS31Validator
from pydantic import ValidationError

from tests import contracts
from tests.fidelity.openapi import leaves
from tests.fidelity.records import Webhook

HEADERS = {
    "Content-Type",
    "User-Agent",
    "X-GitHub-Delivery",
    "X-GitHub-Event",
    "X-GitHub-Hook-ID",
    "X-GitHub-Hook-Installation-Target-ID",
    "X-GitHub-Hook-Installation-Target-Type",
}


@cache
def _validator(name: str) -> Any:
    document = contracts.document(contracts.OPENAPI_WEBHOOKS)
    described = document["webhooks"].get(name)
    if described is None:
        return None
    content = described["post"]["requestBody"]["content"]
    schema = content["application/json"]["schema"]
    return OAS31Validator({**schema, "components": document["components"]})


def _in_whole_numbers(payload: Any) -> Any:
    """The payload with a card's numbers rounded.

    Number fields of boards have fractions; the schema of their changes knows whole
    numbers only.
    """
    value = (payload.get("changes") or {}).get("field_value")
    if not isinstance(value, dict):
        return payload
    told = {
        key: round(each) if isinstance(each, float) else each
        for key, each in value.items()
    }
    return {**payload, "changes": {**payload["changes"], "field_value": told}}


def schema_problems(webhook: Webhook) -> list[str]:
    """Where the published schema is not met."""
    name = webhook.name.replace(".", "-").replace("_", "-")
    validator = _validator(name)
    if validator is None:
        return ["GitHub publishes no such event"]
    return [
        leaf
        for error in validator.iter_errors(_in_whole_numbers(webhook.payload))
        for leaf in leaves(error)
    ]


def reading_problems(webhook: Webhook) -> list[str]:
    """What githubkit cannot read."""
    try:
        payload = _in_whole_numbers(webhook.payload)
        githubkit_webhooks.parse(webhook.event, json.dumps(payload))
    except ValidationError as error:
        return [
            f"githubkit: {'/'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_url=False)
        ]
    return []


def header_problems(webhook: Webhook) -> list[str]:
    """Which of GitHub's headers are missing."""
    return [f"no header {name}" for name in HEADERS - set(webhook.headers)]
