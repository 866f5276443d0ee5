"""GraphQL on a small hub, over HTTP, as a product calls it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLScalarType,
    get_named_type,
    is_required_argument,
)

from localhub import graphql_api, project_automations, projects, pulls
from localhub.graphql_api.wiring import schema
from tests.localhub.small_hub import SmallHub, small_hub

Client = TestClient[web.Request, web.Application]
Ask = Callable[..., Awaitable[dict[str, Any]]]
FULL = "ghs_full"


@pytest.fixture
def small(tmp_path: Path) -> SmallHub:
    small = small_hub(tmp_path)
    project_automations.listen(small.hub)
    return small


@pytest.fixture
async def client(small: SmallHub, aiohttp_client: Any) -> Client:
    app = web.Application()
    app.add_routes(graphql_api.routes(small.hub))
    client: Client = await aiohttp_client(app)
    return client


@pytest.fixture
def ask(client: Client, small: SmallHub) -> Ask:
    async def ask(query: str, token: str = FULL, **variables: Any) -> dict[str, Any]:
        body = {"query": query, "variables": variables}
        headers = small.headers(token)
        answer = await client.post("/api/graphql", json=body, headers=headers)
        assert answer.status == 200
        said: dict[str, Any] = await answer.json()
        return said

    return ask


BOARD = """
query ($org: String!, $number: Int!) {
  organization(login: $org) {
    projectV2(number: $number) {
      id title number closed public url
      owner { id ... on Organization { login } }
      field(name: "Status") {
        ... on ProjectV2SingleSelectField { id name dataType options { id name } }
      }
      items(first: 50) {
        totalCount
        nodes {
          id fullDatabaseId type isArchived
          content {
            __typename
            ... on Issue { number title body state labels(first: 5) { nodes { name } } }
            ... on PullRequest { number headRefOid }
          }
          fieldValueByName(name: "Status") {
            ... on ProjectV2ItemFieldSingleSelectValue { name optionId }
          }
        }
      }
      workflows(first: 10) { nodes { name enabled } }
    }
  }
}
"""
MOVE = """
mutation ($project: ID!, $item: ID!, $field: ID!, $option: String!) {
  updateProjectV2ItemFieldValue(input: {
    projectId: $project, itemId: $item, fieldId: $field,
    value: {singleSelectOptionId: $option}
  }) { projectV2Item { id } }
}
"""


async def move(
    ask: Ask, small: SmallHub, option: str, token: str = FULL
) -> dict[str, Any]:
    return await ask(
        MOVE,
        token,
        project=small.board.node_id,
        item=small.card("Fix the rounding").node_id,
        field=projects.status_field(small.board).node_id,
        option=option,
    )


async def test_a_board_is_read_with_its_fields_and_cards(
    ask: Ask, small: SmallHub
) -> None:
    answer = await ask(BOARD, org="acme", number=1)

    assert "errors" not in answer
    board = answer["data"]["organization"]["projectV2"]
    assert [one["name"] for one in board["field"]["options"]] == [
        "Backlog",
        "Refine",
        "Develop",
        "Review",
        "Done",
    ]
    [card] = board["items"]["nodes"]
    assert card["type"] == "ISSUE"
    assert card["fullDatabaseId"] == str(small.card("Fix the rounding").id)
    assert card["content"]["labels"]["nodes"] == [{"name": "bug"}]
    assert card["fieldValueByName"] is None
    assert {"name": "Item closed", "enabled": True} in board["workflows"]["nodes"]


async def test_a_card_moves_and_tells_both_options(ask: Ask, small: SmallHub) -> None:
    await move(ask, small, small.option("Refine"))
    answer = await move(ask, small, small.option("Develop"))

    assert "errors" not in answer
    assert small.column(small.card("Fix the rounding")) == "Develop"
    [_, told] = small.said("projects_v2_item")
    change = told["changes"]["field_value"]
    assert change["from"]["name"] == "Refine"
    assert change["to"] == {
        "id": small.option("Develop"),
        "name": "Develop",
        "color": "BLUE",
        "description": "The agent builds it",
    }
    assert change["field_type"] == "single_select"


async def test_a_stale_option_is_refused(ask: Ask, small: SmallHub) -> None:
    stale = small.option("Develop")
    field = projects.status_field(small.board)
    replaced = await ask(
        """mutation ($field: ID!) {
          updateProjectV2Field(input: {fieldId: $field, singleSelectOptions: [
            {name: "Develop", color: RED, description: ""}
          ]}) { projectV2Field { __typename } }
        }""",
        field=field.node_id,
    )
    assert "errors" not in replaced

    answer = await move(ask, small, stale)

    said = "The single select option Id does not belong to the field"
    assert answer["errors"][0]["message"] == said
    assert answer["errors"][0]["path"] == ["updateProjectV2ItemFieldValue"]


async def test_replacing_the_options_orphans_the_cards(
    ask: Ask, small: SmallHub
) -> None:
    await move(ask, small, small.option("Develop"))
    field = projects.status_field(small.board)

    projects.replace_options(small.hub, small.board, field, list(field.options))

    assert small.column(small.card("Fix the rounding")) is None


@pytest.mark.parametrize(
    ("token", "kind"), [("ghs_reads", "FORBIDDEN"), ("ghs_none", "NOT_FOUND")]
)
async def test_a_token_without_the_permission_moves_nothing(
    ask: Ask, small: SmallHub, token: str, kind: str
) -> None:
    answer = await move(ask, small, small.option("Develop"), token)

    assert answer["errors"][0]["type"] == kind
    assert small.column(small.card("Fix the rounding")) is None


async def test_an_installation_sees_no_board_of_a_person(
    ask: Ask,
) -> None:
    query = '{ user(login: "alice") { projectsV2(first: 5) { totalCount } } }'

    installed = await ask(query)
    herself = await ask(query, "ghp_alice")

    assert installed == {"data": {"user": {"projectsV2": {"totalCount": 0}}}}
    assert herself["data"]["user"]["projectsV2"]["totalCount"] == 1


async def test_adding_twice_is_one_card(ask: Ask, small: SmallHub) -> None:
    query = """mutation ($project: ID!, $content: ID!) {
      addProjectV2ItemById(input: {projectId: $project, contentId: $content}) {
        item { id }
      }
    }"""
    ids = {"project": small.board.node_id, "content": small.pull.node_id}

    first = await ask(query, **ids)
    second = await ask(query, **ids)

    assert first == second
    assert len(small.said("projects_v2_item")) == 1


async def test_content_of_an_invisible_repository_is_redacted(
    ask: Ask, small: SmallHub
) -> None:
    small.repository.private = True
    small.hub.tokens["ghp_bob"].repository_ids = None
    small.repository.collaborators.clear()
    small.acme.members["mallory"] = "member"
    small.hub.tokens["ghs_full"].repository_ids = frozenset()

    answer = await ask(BOARD, org="acme", number=1)

    [card] = answer["data"]["organization"]["projectV2"]["items"]["nodes"]
    assert (card["type"], card["content"]) == ("REDACTED", None)


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("", "MISSING_PAGINATION_BOUNDARIES"),
        ("(first: 101)", "EXCESSIVE_PAGINATION"),
    ],
)
async def test_pages_are_bounded(ask: Ask, page: str, kind: str) -> None:
    answer = await ask(
        f'{{ organization(login: "acme") {{ projectsV2{page} {{ nodes {{ id }} }} }} }}'
    )

    assert answer["errors"][0]["type"] == kind
    assert "data" not in answer


async def test_counting_needs_no_bounds(ask: Ask) -> None:
    answer = await ask('{ organization(login: "acme") { projectsV2 { totalCount } } }')

    assert answer["data"]["organization"]["projectsV2"]["totalCount"] == 1


async def test_a_query_for_too_many_nodes_is_refused(ask: Ask) -> None:
    answer = await ask(
        """{ organization(login: "acme") { projectsV2(first: 100) { nodes {
          items(first: 100) { nodes { fieldValues(first: 100) { totalCount } } }
        } } } }"""
    )

    assert answer["errors"][0]["type"] == "MAX_NODE_LIMIT_EXCEEDED"


async def test_pages_follow_each_other(ask: Ask, small: SmallHub) -> None:
    for title in ("two", "three"):
        projects.add_draft(small.hub, small.board, title, actor=small.alice)
    query = """query ($id: ID!, $after: String) { node(id: $id) { ... on ProjectV2 {
      items(first: 2, after: $after) {
        nodes { content { ... on DraftIssue { title } ... on Issue { title } } }
        pageInfo { hasNextPage endCursor }
      }
    } } }"""

    first = await ask(query, id=small.board.node_id)
    page = first["data"]["node"]["items"]
    cursor = page["pageInfo"]["endCursor"]
    rest = await ask(query, id=small.board.node_id, after=cursor)

    assert page["pageInfo"]["hasNextPage"]
    nodes = page["nodes"] + rest["data"]["node"]["items"]["nodes"]
    titles = [one["content"]["title"] for one in nodes]
    assert titles == ["Fix the rounding", "two", "three"]


async def test_points_are_counted(ask: Ask, client: Client, small: SmallHub) -> None:
    await ask("{ viewer { login } }")
    answer = await client.post(
        "/graphql",
        json={"query": "{ rateLimit { cost limit used remaining } }"},
        headers=small.headers("ghs_full"),
    )

    rate = (await answer.json())["data"]["rateLimit"]
    assert rate == {"cost": 1, "limit": 5000, "used": 2, "remaining": 4998}
    assert answer.headers["X-RateLimit-Remaining"] == "4998"
    assert answer.headers["X-RateLimit-Resource"] == "graphql"


async def test_who_spent_everything_is_told_with_a_200(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localhub.graphql_api.endpoint.POINTS", 1)

    await ask("{ viewer { login } }")
    answer = await ask("{ viewer { login } }")

    assert answer["errors"][0]["type"] == "RATE_LIMITED"


async def test_an_unknown_node_is_not_found(ask: Ask) -> None:
    answer = await ask('{ node(id: "I_nothing") { id } }')

    assert answer["data"] == {"node": None}
    assert answer["errors"][0]["type"] == "NOT_FOUND"
    assert answer["errors"][0]["path"] == ["node"]


async def test_bad_credentials_are_a_401(client: Client, small: SmallHub) -> None:
    for headers in ({}, small.headers("ghs_wrong")):
        answer = await client.post("/graphql", json={"query": "{ a }"}, headers=headers)
        assert answer.status == 401


def test_merging_moves_the_closed_issue_to_done(small: SmallHub) -> None:
    pulls.set_draft(small.hub, small.pull, draft=False, actor=small.alice)
    pulls.merge(small.hub, small.pull, actor=small.alice)

    assert small.column(small.card("Fix the rounding")) == "Done"
    moved = [one for one in small.told if one.event == "projects_v2_item"]
    assert moved[-1].sender.login == "github-project-automation[bot]"
    assert moved[-1].sender.type == "Bot"


CONVERSATION = """
mutation ($subject: ID!) {
  addComment(input: {subjectId: $subject, body: "On it"}) {
    commentEdge { node { id body author { login } } }
  }
}
"""


async def test_comments_are_written_edited_folded_and_reacted_to(
    ask: Ask, small: SmallHub
) -> None:
    written = await ask(CONVERSATION, subject=small.issue.node_id)
    node = written["data"]["addComment"]["commentEdge"]["node"]
    assert node["author"] == {"login": "vibe[bot]"}

    answer = await ask(
        """mutation ($id: ID!) {
          updateIssueComment(input: {id: $id, body: "Done"}) { issueComment { body } }
          addReaction(input: {subjectId: $id, content: EYES}) {
            reaction { content user { login } }
          }
          minimizeComment(input: {subjectId: $id, classifier: OUTDATED}) {
            minimizedComment { isMinimized minimizedReason }
          }
        }""",
        id=node["id"],
    )

    assert "errors" not in answer
    assert answer["data"] == {
        "updateIssueComment": {"issueComment": {"body": "Done"}},
        "addReaction": {
            "reaction": {"content": "EYES", "user": {"login": "vibe[bot]"}}
        },
        "minimizeComment": {
            "minimizedComment": {"isMinimized": True, "minimizedReason": "outdated"}
        },
    }


async def test_cards_are_placed_archived_converted_and_deleted(
    ask: Ask, small: SmallHub
) -> None:
    draft = projects.add_draft(small.hub, small.board, "Note", actor=small.alice)
    ids = {
        "project": small.board.node_id,
        "item": draft.node_id,
        "repository": small.repository.node_id,
    }
    small.told.clear()

    answer = await ask(
        """mutation ($project: ID!, $item: ID!, $repository: ID!) {
          updateProjectV2ItemPosition(input: {projectId: $project, itemId: $item}) {
            items(first: 1) { nodes { id } }
          }
          archiveProjectV2Item(input: {projectId: $project, itemId: $item}) {
            item { isArchived }
          }
          unarchiveProjectV2Item(input: {projectId: $project, itemId: $item}) {
            item { isArchived }
          }
          convertProjectV2DraftIssueItemToIssue(
            input: {itemId: $item, repositoryId: $repository}
          ) { item { type content { ... on Issue { title } } } }
          createProjectV2StatusUpdate(
            input: {projectId: $project, status: ON_TRACK, body: "Well"}
          ) { statusUpdate { status body } }
          deleteProjectV2Item(input: {projectId: $project, itemId: $item}) {
            deletedItemId
          }
        }""",
        **ids,
    )

    assert "errors" not in answer
    done = answer["data"]
    place = done["updateProjectV2ItemPosition"]["items"]["nodes"]
    assert place == [{"id": draft.node_id}]
    assert done["convertProjectV2DraftIssueItemToIssue"]["item"] == {
        "type": "ISSUE",
        "content": {"title": "Note"},
    }
    assert [one["action"] for one in small.said("projects_v2_item")] == [
        "reordered",
        "archived",
        "restored",
        "converted",
        "deleted",
    ]


async def test_threads_are_answered_and_resolved(ask: Ask, small: SmallHub) -> None:
    query = """query ($id: ID!) { node(id: $id) { ... on PullRequest {
      reviewThreads(first: 5) { nodes {
        id path line isResolved comments(first: 5) { nodes { body } }
      } }
    } } }"""
    answer = await ask(query, id=small.pull.node_id)
    [thread] = answer["data"]["node"]["reviewThreads"]["nodes"]
    assert (thread["path"], thread["line"]) == ("cart.py", 5)

    done = await ask(
        """mutation ($id: ID!) {
          addPullRequestReviewThreadReply(
            input: {pullRequestReviewThreadId: $id, body: "Yes"}
          ) { comment { body replyTo { body } } }
          resolveReviewThread(input: {threadId: $id}) { thread { isResolved } }
        }""",
        id=thread["id"],
    )

    assert "errors" not in done
    assert done["data"]["resolveReviewThread"]["thread"]["isResolved"]


def _whole(kind: GraphQLObjectType, deep: int) -> str:
    """Ask for every field of a type that needs no argument of ours, two levels deep."""
    fields = []
    for name, field in kind.fields.items():
        if any(is_required_argument(one) for one in field.args.values()):
            continue
        page = "(first: 5)" if "first" in field.args else ""
        page = "(pullRequestNumber: 2)" if name == "isRequired" else page
        inner = _inner(field, deep)
        if inner is not None:
            fields.append(f"{name}{page}{inner}")
    return "{ __typename " + " ".join(fields) + " }"


def _inner(field: GraphQLField, deep: int) -> str | None:
    named = get_named_type(field.type)
    if isinstance(named, GraphQLScalarType | GraphQLEnumType):
        return ""
    if not isinstance(named, GraphQLObjectType):
        return " { __typename }"
    return None if deep == 0 else " " + _whole(named, deep - 1)


async def test_every_field_of_the_schema_can_be_asked(
    ask: Ask, small: SmallHub
) -> None:
    status = projects.status_field(small.board)
    card = small.card("Fix the rounding")
    projects.set_value(
        small.hub, card, status, small.option("Review"), actor=small.alice
    )
    update = projects.post_status(small.hub, small.board, actor=small.alice)
    nodes: dict[str, Any] = {
        "ProjectV2": small.board,
        "ProjectV2Item": card,
        "ProjectV2SingleSelectField": status,
        "ProjectV2Field": small.board.fields[0],
        "ProjectV2StatusUpdate": update,
        "Issue": small.issue,
        "IssueComment": small.issue.comments[0],
        "PullRequest": small.pull,
        "PullRequestReview": small.pull.reviews[0],
        "PullRequestReviewComment": small.pull.review_comments[0],
        "Repository": small.repository,
        "CheckRun": small.repository.check_suites[0].runs[0],
        "User": small.alice,
        "Bot": small.app.bot,
        "Organization": small.acme,
    }
    for name, node in nodes.items():
        kind = schema().type_map[name]
        assert isinstance(kind, GraphQLObjectType)
        asked = f"... on {name} {_whole(kind, 2)}"
        query = f"query ($id: ID!) {{ node(id: $id) {{ {asked} }} }}"
        answer = await ask(query, id=node.node_id)
        assert "errors" not in answer, (name, answer["errors"][:3])
        assert answer["data"]["node"]["__typename"] == name
