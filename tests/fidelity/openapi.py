"""Calls held against GitHub's published OpenAPI, by openapi-core."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import quote

from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.exceptions import PathError
from openapi_core.templating.paths.finders import APICallPathFinder
from openapi_core.templating.responses.exceptions import ResponseFinderError
from openapi_core.testing import MockRequest, MockResponse

from tests import contracts
from tests.fidelity.records import Call

HOST = "https://api.github.com"
# GitHub takes slashes in these last parts; OpenAPI cannot say so.
_LAST_PART = re.compile(
    r"(/repos/[^/]+/[^/]+/"
    r"(?:contents|branches(?!/[^/]+/protection$)|compare|git/(?:refs?|matching-refs|trees)))/(.+)"
)


# A discriminator is only a hint beside `oneOf`, and GitHub gives some to lists.
_LEFT_OUT = {"example", "discriminator"}


def _mended(part: Any) -> Any:
    """Let null in where a part is called nullable.

    OpenAPI 3.0.3 makes `nullable` void beside an enum that lacks null, and where no
    type stands beside it. GitHub's description does not mean it so.
    """
    if isinstance(part, list):
        return [_mended(one) for one in part]
    if not isinstance(part, dict):
        return part
    mended = {key: _mended(one) for key, one in part.items() if key not in _LEFT_OUT}
    if mended.get("nullable") is not True:
        return mended
    if "enum" in mended and None not in mended["enum"]:
        mended["enum"] = [*mended["enum"], None]
    for several in ("oneOf", "anyOf"):
        if several in mended and "type" not in mended:
            mended[several] = [*mended[several], {"enum": [None], "nullable": True}]
    return mended


@cache
def published() -> OpenAPI:
    """GitHub's description, taken strictly: what it does not name is wrong."""
    config = Config(
        spec_validator_cls=None,  # to check the description itself takes a minute
        additional_properties_default_policy="forbid",
    )
    document = _mended(contracts.document(contracts.OPENAPI))
    return OpenAPI.from_dict(document, config=config)


def _path(call: Call) -> str:
    # The root of a repository has no path at all.
    path = re.sub(r"/contents/?$", "/contents/.", call.path)
    found = _LAST_PART.fullmatch(path)
    if found is None:
        return path
    return f"{found[1]}/{quote(found[2], safe='')}"


def _request(call: Call) -> MockRequest:
    return MockRequest(
        HOST,
        call.method.lower(),
        _path(call),
        args=dict(call.query),
        headers=call.headers,
        data=call.body.encode() or None,
        # What is sent without a type is still meant as JSON.
        content_type="application/json",
    )


def leaves(error: Any, place: str = "") -> Iterator[str]:
    """Where a schema is not met, as deep as the schema tells."""
    here = place + "".join(f"/{part}" for part in error.path)
    if error.context:
        branches: dict[Any, list[Any]] = {}
        for one in error.context:
            branches.setdefault(one.schema_path[0], []).append(one)
        for one in min(branches.values(), key=_distance):
            yield from leaves(one, here)
    else:
        yield f"{here or '/'}: {_short(error.message)}"


def _distance(errors: list[Any]) -> tuple[bool, int]:
    """How far a value is from one branch of a choice: another type is farthest."""
    alien = any(one.validator == "type" and not one.path for one in errors)
    return alien, len(errors)


def _short(message: str) -> str:
    """Keep what is told at both ends of a message; a whole answer may stand between."""
    return message if len(message) < 300 else f"{message[:140]} … {message[-140:]}"


def _told(side: str, error: BaseException) -> Iterator[str]:
    cause = error
    while cause.__cause__ is not None and not hasattr(cause, "schema_errors"):
        cause = cause.__cause__
    for one in getattr(cause, "schema_errors", ()):
        yield from (f"{side} {leaf}" for leaf in leaves(one))
    if not getattr(cause, "schema_errors", ()):
        yield f"{side} {type(cause).__name__}: {cause}"


def template(call: Call) -> str:
    """Method and address of a call as GitHub's description writes them."""
    spec = published().spec
    found = APICallPathFinder(spec).find(call.method.lower(), HOST + _path(call))
    return f"{call.method} {found.path.parts[-1]}"


def request_problems(call: Call) -> list[str]:
    """What is wrong with a request."""
    try:
        published().validate_request(_request(call))
    except OpenAPIError as error:
        return list(_told("request", error))
    return []


def answer_problems(call: Call) -> list[str]:
    """What is wrong with an answer."""
    if call.status == 304:
        return ["answer: a body with status 304"] if call.answer else []
    response = MockResponse(
        call.answer.encode(),
        call.status,
        headers=call.answered,
        content_type=call.answered.get("Content-Type", "application/json"),
    )
    try:
        published().validate_response(_request(call), response)
    except ResponseFinderError as error:
        # Limits, missing permissions and faults may answer any call.
        return list(_told("answer", error)) if call.status < 400 else _refusal(call)
    except PathError as error:
        return list(_told("answer", error)) if call.status != 404 else _refusal(call)
    except OpenAPIError as error:
        return list(_told("answer", error))
    return []


def _refusal(call: Call) -> list[str]:
    body = json.loads(call.answer)
    told = isinstance(body, dict) and isinstance(body.get("message"), str)
    return [] if told else ["answer: a refusal without a message"]
