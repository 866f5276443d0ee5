"""What boards tell: valid by GitHub's schemas, parsed by githubkit, silent when due."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from githubkit import webhooks as githubkit_webhooks
from openapi_schema_validator import OAS31Validator

from localhub import issues, project_automations, projects
from localhub.state import Emission, ProjectItem
from localhub.webhooks import body_of
from tests import contracts
from tests.localhub.small_hub import SmallHub, small_hub

Deed = Callable[[SmallHub, ProjectItem], None]


@pytest.fixture
def small(tmp_path: Path) -> SmallHub:
    return small_hub(tmp_path)


def _archive_and_restore(small: SmallHub, card: ProjectItem) -> None:
    projects.archive(small.hub, card, actor=small.alice)
    projects.restore(small.hub, card, actor=small.alice)


def _draft_and_convert(small: SmallHub, _card: ProjectItem) -> None:
    draft = projects.add_draft(small.hub, small.board, "Note", actor=small.alice)
    issue = issues.create(small.hub, small.repository, actor=small.alice, title="Note")
    projects.convert(small.hub, draft, issue, actor=small.alice)
    projects.reorder(small.hub, draft, None, actor=small.alice)


def _move_twice(small: SmallHub, card: ProjectItem) -> None:
    projects.move(small.hub, card, "Refine", actor=small.alice)
    projects.move(small.hub, card, "Develop", actor=small.alice)


def _delete(small: SmallHub, card: ProjectItem) -> None:
    projects.delete(small.hub, card, actor=small.alice)


def _report(small: SmallHub, _card: ProjectItem) -> None:
    projects.post_status(
        small.hub, small.board, actor=small.alice, body="Well", status="ON_TRACK"
    )
    projects.edit(small.hub, small.board, actor=small.alice, title="Carts")


DEEDS: list[tuple[Deed, list[str]]] = [
    (_move_twice, ["projects_v2_item.edited"] * 2),
    (_archive_and_restore, ["projects_v2_item.archived", "projects_v2_item.restored"]),
    (
        _draft_and_convert,
        [
            "projects_v2_item.created",
            "issues.opened",
            "projects_v2_item.converted",
            "projects_v2_item.reordered",
        ],
    ),
    (_delete, ["projects_v2_item.deleted"]),
    (_report, ["projects_v2_status_update.created", "projects_v2.edited"]),
]


def _payload(small: SmallHub, what: Emission) -> dict[str, Any]:
    [installation] = small.hub.installations.values()
    payload: dict[str, Any] = json.loads(body_of(small.hub, what, installation))
    return payload


def _problems(event: str, payload: dict[str, Any]) -> list[str]:
    document = contracts.document(contracts.OPENAPI_WEBHOOKS)
    name = f"{event}-{payload['action']}".replace("_", "-")
    body = document["webhooks"][name]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    rooted = {**schema, "components": document["components"]}
    return [
        "/".join(map(str, error.absolute_path))
        for error in OAS31Validator(rooted).iter_errors(payload)
    ]


@pytest.mark.npm
@pytest.mark.parametrize(("deed", "events"), DEEDS)
def test_what_is_told_is_valid(small: SmallHub, deed: Deed, events: list[str]) -> None:
    deed(small, small.card("Fix the rounding"))

    told = [(one.event, _payload(small, one)) for one in small.told]
    assert [f"{event}.{payload['action']}" for event, payload in told] == events
    for event, payload in told:
        githubkit_webhooks.parse(event, json.dumps(payload).encode())
        problems = _problems(event, payload)
        # The published schema forgets `null` for a card that had no value before.
        changed = payload.get("changes", {}).get("field_value", {})
        if changed and None in (changed["from"], changed["to"]):
            assert problems == ["changes"]
        else:
            assert problems == []


def test_a_board_of_a_person_tells_nobody(small: SmallHub) -> None:
    card = projects.add(small.hub, small.own_board, small.issue, actor=small.alice)
    projects.move(small.hub, card, "Done", actor=small.alice)

    assert small.told == []


def test_setting_the_same_value_tells_nobody(small: SmallHub) -> None:
    card = small.card("Fix the rounding")
    projects.move(small.hub, card, "Refine", actor=small.alice)
    small.told.clear()

    projects.move(small.hub, card, "Refine", actor=small.alice)

    assert small.told == []


def test_closing_moves_to_done_unless_switched_off(small: SmallHub) -> None:
    project_automations.listen(small.hub)
    card = small.card("Fix the rounding")
    small.board.closed_to_done = False
    issues.close(small.hub, small.issue, actor=small.alice)
    assert small.column(card) is None

    issues.reopen(small.hub, small.issue, actor=small.alice)
    small.board.closed_to_done = True
    issues.close(small.hub, small.issue, actor=small.alice)

    assert small.column(card) == "Done"
    assert small.told[-1].sender.login == "github-project-automation[bot]"


def test_the_optional_automations(small: SmallHub) -> None:
    project_automations.listen(small.hub)
    small.board.added_to_first = small.board.done_to_closed = True

    card = projects.add(small.hub, small.board, small.pull, actor=small.alice)
    assert small.column(card) == "Backlog"

    projects.move(small.hub, small.card("Fix the rounding"), "Done", actor=small.alice)
    assert small.issue.state == "closed"
    closed_by = small.issue.closed_by
    assert closed_by is not None
    assert closed_by.type == "Bot"
