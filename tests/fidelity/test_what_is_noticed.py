"""The checks of recordings notice what is wrong: they are tried on wrong things."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.fidelity import openapi, sending, waivers
from tests.fidelity.differing import differences
from tests.fidelity.records import Call, Webhook

pytestmark = pytest.mark.npm

NOTE = {
    "path": "a.py",
    "start_line": 1,
    "end_line": 1,
    "annotation_level": "notice",
    "message": "Look",
}
RUN: dict[str, Any] = {
    "name": "unit",
    "head_sha": "a" * 40,
    "output": {"title": "All", "summary": "Well", "annotations": [NOTE] * 50},
}
CHECK = Call(
    kind="rest",
    method="POST",
    route="/repos/{owner}/{repo}/check-runs",
    url="http://127.0.0.1:1/api/v3/repos/acme/clock/check-runs",
    headers={"Content-Type": "application/json"},
    query=(),
    body=json.dumps(RUN),
    status=401,
    answered={"Content-Type": "application/json"},
    answer='{"message": "Bad credentials"}',
)


def _asking(**changes: Any) -> Call:
    return replace(CHECK, body=json.dumps({**RUN, **changes}))


def test_a_right_call_is_right() -> None:
    assert openapi.request_problems(CHECK) == []
    assert openapi.answer_problems(CHECK) == []


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(_asking(name=7), id="a name that is a number"),
        pytest.param(
            _asking(output={**RUN["output"], "annotations": [NOTE] * 51}),
            id="51 annotations",
        ),
        pytest.param(
            _asking(output={"title": "T", "summary": "x" * 70_000}),
            id="a summary that is too long",
        ),
        pytest.param(replace(CHECK, url=f"{CHECK.url}/7/8"), id="no such address"),
        pytest.param(replace(CHECK, method="PUT"), id="no such method"),
    ],
)
def test_a_wrong_request_is_noticed(wrong: Call) -> None:
    assert openapi.request_problems(wrong) != []


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        pytest.param(200, "{}", id="a status that is not GitHub's"),
        pytest.param(201, "{}", id="nothing that must be there"),
        pytest.param(403, "[]", id="a refusal without words"),
    ],
)
def test_a_wrong_answer_is_noticed(status: int, answer: str) -> None:
    assert openapi.answer_problems(replace(CHECK, status=status, answer=answer)) != []


def test_an_invented_key_is_noticed() -> None:
    rate = {"limit": 1, "used": 0, "remaining": 1, "reset": 1}
    body = {"resources": {"core": rate, "search": rate}, "rate": rate}
    call = replace(CHECK, method="GET", url="http://127.0.0.1:1/rate_limit", body="")
    right = replace(call, status=200, answer=json.dumps(body))
    wrong = replace(call, status=200, answer=json.dumps({**body, "bonus": 1}))

    assert openapi.answer_problems(right) == []
    [problem] = openapi.answer_problems(wrong)
    assert "bonus" in problem


def test_wrong_webhooks_are_noticed() -> None:
    unknown = Webhook("issues", "danced", {}, "{}")
    empty = Webhook("issues", "opened", {}, '{"action": "opened"}')

    assert sending.schema_problems(unknown) == ["GitHub publishes no such event"]
    assert len(sending.header_problems(unknown)) == len(sending.HEADERS)
    assert sending.schema_problems(empty) != []
    assert sending.reading_problems(empty) != []


def test_differences_are_told() -> None:
    theirs = {"a": 1, "b": "x", "c": [1, 2], "id": 1, "e": None}
    mine = {"a": "1", "b": "y", "c": [1], "id": 2, "f": None}

    assert list(differences(theirs, mine)) == [
        "/a: number there, string here",
        "/b: 'x' there, 'y' here",
        "/c: 2 there, 1 here",
        "/e: only there",
        "/f: only here",
    ]


def test_waivers_cover_what_they_match_and_are_told_when_idle() -> None:
    table = (waivers.Waiver("^a", "reason"), waivers.Waiver("^z", "reason"))

    assert waivers.unwaived(["ab", "ba", "ba"], table) == ["ba"]
    assert waivers.unused(["ab", "ba"], table) == ["^z"]
