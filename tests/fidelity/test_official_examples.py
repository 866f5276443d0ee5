"""Our parser takes every example delivery that GitHub ever published."""

import json

import pytest

from tests import contracts
from vibeboard.github.translate import translate

pytestmark = pytest.mark.npm


def test_all_329_published_examples_are_read_without_error() -> None:
    events = contracts.document(contracts.WEBHOOK_EXAMPLES)
    examples = [
        (event["name"], example) for event in events for example in event["examples"]
    ]

    for name, example in examples:
        translate(name, json.dumps(example).encode(), guid=name)

    assert len(examples) == 329
