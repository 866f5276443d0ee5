"""Everything the tests recorded, held against the contracts that GitHub publishes.

These tests run after all others (see `recording`), on what those made the product and
the local GitHub say to each other.
"""

import fcntl
import pickle
import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import TypeVar

import pytest
from graphql import (
    DocumentNode,
    OperationDefinitionNode,
    get_variable_values,
    parse,
    validate,
)

from tests import contracts
from tests.fidelity import openapi, records, sending, waivers
from tests.fidelity.expected import EVENTS, ROUTES
from tests.fidelity.recording import Session
from tests.fidelity.records import Call, Records, Webhook

Found = TypeVar("Found")
pytestmark = [pytest.mark.npm, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def recorded(recording: Session) -> Records:
    found = _once(recording, "records", lambda: records.distinct(recording.folder))
    if not recording.driven and not found.rest:
        pytest.skip("nothing was recorded: no selected test uses the local GitHub")
    return found


# --- REST ---------------------------------------------------------------------------


def _rest_complaints(call: Call) -> Iterator[str]:
    problems = openapi.answer_problems(call)
    if call.ours or not call.failed:
        # A test that is refused on purpose asks for nonsense; the product never does.
        problems += openapi.request_problems(call)
    for problem in problems:
        yield f"{call.name} {call.status}: {problem}"


@pytest.fixture(scope="module")
def rest_complaints(recording: Session, recorded: Records) -> list[str]:
    return _once(
        recording,
        "rest",
        lambda: [one for call in recorded.rest for one in _rest_complaints(call)],
    )


def _once(recording: Session, name: str, find: Callable[[], Found]) -> Found:
    """What the first worker that asks finds; the others read it."""
    kept = recording.folder / f"{name}.pickle"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_bytes(pickle.dumps(find()))
    found: Found = pickle.loads(kept.read_bytes())  # noqa: S301 - we wrote it
    return found


def test_rest_calls_and_answers_are_as_described(rest_complaints: list[str]) -> None:
    left = waivers.unwaived(rest_complaints, waivers.REST)
    assert left == [], "\n".join(left)


def test_the_product_names_itself_and_the_version_in_every_call(
    recorded: Records,
) -> None:
    ours = [call for call in [*recorded.rest, *recorded.graphql] if call.ours]

    versions = {call.headers.get("X-GitHub-Api-Version") for call in ours}
    assert versions <= {"2026-03-10"}


# --- GraphQL ------------------------------------------------------------------------


def _operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [
        one for one in document.definitions if isinstance(one, OperationDefinitionNode)
    ]


def _names(document: DocumentNode) -> list[str]:
    return [one.name.value for one in _operations(document) if one.name]


def _graphql_complaints(call: Call) -> Iterator[str]:
    schema = contracts.published_schema()
    document = parse(call.document)
    yield from (fault.message for fault in validate(schema, document))
    variables = call.variables
    for operation in _operations(document):
        given = get_variable_values(
            schema, operation.variable_definitions or (), variables
        )
        if isinstance(given, list):
            yield from (fault.message for fault in given)


@pytest.fixture(scope="module")
def graphql_complaints(recording: Session, recorded: Records) -> list[str]:
    sent = [call for call in recorded.graphql if call.ours or not call.failed]
    return _once(
        recording,
        "graphql",
        lambda: [one for call in sent for one in _graphql_complaints(call)],
    )


def test_graphql_documents_and_their_variables_are_valid(
    graphql_complaints: list[str],
) -> None:
    left = waivers.unwaived(graphql_complaints, waivers.GRAPHQL)
    assert left == [], "\n".join(left)


# --- Webhooks -----------------------------------------------------------------------


def _webhook_complaints(webhook: Webhook) -> Iterator[str]:
    for problem in (
        *sending.header_problems(webhook),
        *sending.schema_problems(webhook),
        *sending.reading_problems(webhook),
    ):
        yield f"{webhook.name}: {problem}"


@pytest.fixture(scope="module")
def webhook_complaints(recording: Session, recorded: Records) -> list[str]:
    sent = recorded.webhooks
    return _once(
        recording,
        "webhooks",
        lambda: [one for webhook in sent for one in _webhook_complaints(webhook)],
    )


def test_webhooks_are_as_described(webhook_complaints: list[str]) -> None:
    left = waivers.unwaived(webhook_complaints, waivers.WEBHOOKS)
    assert left == [], "\n".join(left)


# --- Enough -------------------------------------------------------------------------


@pytest.fixture
def driven(recording: Session) -> None:
    if not recording.driven:
        pytest.skip("only a part of the tests was selected")


@pytest.mark.usefixtures("driven")
def test_the_product_made_each_rest_call_that_it_knows_and_no_other(
    recorded: Records,
) -> None:
    routes = {openapi.template(call) for call in recorded.rest if call.ours}

    assert sorted(routes) == sorted(ROUTES)


@pytest.mark.usefixtures("driven")
def test_the_product_sent_each_of_its_graphql_documents(recorded: Records) -> None:
    sent = {call.document for call in recorded.graphql if call.ours}
    folder = files("vibeboard.github") / "queries"
    written = [parse(file.read_text()) for file in folder.iterdir()]

    names = {name for document in map(parse, sent) for name in _names(document)}
    assert names == {name for document in written for name in _names(document)}


@pytest.mark.usefixtures("driven")
def test_each_kind_of_webhook_was_sent(recorded: Records) -> None:
    sent = {webhook.name for webhook in recorded.webhooks}

    assert sorted(EVENTS - sent) == []


def test_no_waiver_is_left_over(
    recording: Session,
    rest_complaints: list[str],
    graphql_complaints: list[str],
    webhook_complaints: list[str],
) -> None:
    if not recording.whole:
        pytest.skip("only a part of the tests was selected")

    assert waivers.unused(rest_complaints, waivers.REST) == []
    if shutil.which("gh"):  # only gh sends such documents
        assert waivers.unused(graphql_complaints, waivers.GRAPHQL) == []
    assert waivers.unused(webhook_complaints, waivers.WEBHOOKS) == []
