"""githubkit, a typed client of GitHub by others, against the local GitHub.

Each answer is read into the models that githubkit generates from GitHub's own
description of the REST version that the product uses. Lists are `Any` to mypy: in a
class with a method `list`, githubkit's own annotations name that.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from githubkit import (
    AppAuthStrategy,
    AppInstallationAuthStrategy,
    GitHub,
    TokenAuthStrategy,
)
from githubkit.auth import BaseAuthStrategy
from githubkit.cache import MemCacheStrategy
from githubkit.exception import GraphQLFailed, RequestFailed

from localhub import projects
from tests.localhub.served import BOB, World, key, serve

OWNER, REPO = "acme", "clock"
OURS = (OWNER, REPO)


@dataclass(frozen=True)
class Clients:
    """githubkit as a person, as the App, and as its installation."""

    world: World

    def _client(self, auth: BaseAuthStrategy) -> GitHub[BaseAuthStrategy]:
        return GitHub(
            auth,
            base_url=self.world.hub.api_url,
            http_cache=False,
            auto_retry=False,
            cache_strategy=MemCacheStrategy(),  # the usual one outlives a test
        )

    @property
    def person(self) -> GitHub[BaseAuthStrategy]:
        return self._client(TokenAuthStrategy(BOB))

    @property
    def app(self) -> GitHub[BaseAuthStrategy]:
        return self._client(AppAuthStrategy(self.world.app.id, key()[0]))

    @property
    def installation(self) -> GitHub[BaseAuthStrategy]:
        app, here = self.world.app.id, self.world.installation.id
        return self._client(AppInstallationAuthStrategy(app, key()[0], here))


@pytest.fixture
async def clients(tmp_path: Path) -> AsyncIterator[Clients]:
    async with serve(tmp_path) as world:
        yield Clients(world)


async def test_an_app_finds_itself_and_its_installations(clients: Clients) -> None:
    app = clients.app

    itself = (await app.rest.apps.async_get_authenticated()).parsed_data
    installations = (await app.rest.apps.async_list_installations()).parsed_data
    one = (await app.rest.apps.async_get_org_installation(OWNER)).parsed_data

    assert itself is not None
    assert itself.slug == "vibe"
    assert [each.id for each in installations] == [one.id]


async def test_an_installation_mints_its_token_and_sees_its_repositories(
    clients: Clients,
) -> None:
    us = clients.installation

    seen = await us.rest.apps.async_list_repos_accessible_to_installation()
    repository = (await us.rest.repos.async_get(*OURS)).parsed_data
    role = await us.rest.repos.async_get_collaborator_permission_level(*OURS, "bob")

    assert [one.full_name for one in seen.parsed_data.repositories] == ["acme/clock"]
    assert repository.default_branch == "main"
    assert role.parsed_data.permission == "write"


async def test_issues_comments_labels_and_reactions(clients: Clients) -> None:
    us = clients.installation
    rest = us.rest

    made = (await rest.issues.async_create(*OURS, title="Early")).parsed_data
    thread = (*OURS, made.number)
    said = (await rest.issues.async_create_comment(*thread, body="Is it?")).parsed_data
    await rest.issues.async_update_comment(*OURS, said.id, body="It is.")
    await rest.issues.async_add_labels(*thread, labels=["bug"])
    await rest.reactions.async_create_for_issue_comment(*OURS, said.id, content="eyes")
    await rest.issues.async_update(*thread, state="closed", state_reason="completed")

    shown = (await rest.issues.async_get(*thread)).parsed_data
    comments: Any = (await rest.issues.async_list_comments(*thread)).parsed_data
    assert (shown.state, shown.comments) == ("closed", 1)
    assert [one.body for one in comments] == ["It is."]


async def test_pages_follow_each_other(clients: Clients) -> None:
    us = clients.installation
    for title in ("two", "three"):
        await us.rest.issues.async_create(*OURS, title=title)

    pages: Any = us.rest.paginate(
        us.rest.issues.async_list_for_repo, owner=OWNER, repo=REPO, per_page=1
    )

    assert [issue.number async for issue in pages] == [3, 2, 1]


async def test_pull_requests_reviews_and_checks(clients: Clients) -> None:
    head = await clients.world.push("topic")
    us, bob = clients.installation, clients.person
    pulls, checks = us.rest.pulls, us.rest.checks

    opened = await pulls.async_create(
        *OURS, title="Topic", head="topic", base="main", draft=True
    )
    pull = (*OURS, opened.parsed_data.number)
    review = await bob.rest.pulls.async_create_review(
        *pull,
        event="REQUEST_CHANGES",
        body="Not yet.",
        comments=[{"path": "topic.txt", "line": 1, "side": "RIGHT", "body": "Why?"}],
    )
    remarks: Any = (await pulls.async_list_review_comments(*pull)).parsed_data
    await pulls.async_create_reply_for_review_comment(
        *pull, remarks[0].id, body="Because."
    )
    run = await checks.async_create(
        *OURS,
        data={
            "name": "unit",
            "head_sha": head,
            "status": "completed",
            "conclusion": "success",
            "output": {"title": "All", "summary": "Well"},
        },
    )

    files: Any = (await pulls.async_list_files(*pull)).parsed_data
    shown = (await checks.async_list_for_ref(*OURS, head)).parsed_data
    assert opened.parsed_data.draft
    assert review.parsed_data.state == "CHANGES_REQUESTED"
    assert [one.filename for one in files] == ["topic.txt"]
    assert [one.id for one in shown.check_runs] == [run.parsed_data.id]


async def test_boards_over_rest(clients: Clients) -> None:
    us = clients.installation
    rest = us.rest.projects

    [board] = (await rest.async_list_for_org(OWNER)).parsed_data
    fields = (await rest.async_list_fields_for_org(board.number, OWNER)).parsed_data
    items = (await rest.async_list_items_for_org(board.number, OWNER)).parsed_data

    assert board.title == "Board"
    assert "Status" in [one.name for one in fields]
    assert len(items) == 1


async def test_boards_over_graphql(clients: Clients) -> None:
    us = clients.installation
    query = """query Board($owner: String!) { organization(login: $owner) {
      projectV2(number: 1) { title items(first: 10) { nodes { content {
        ... on Issue { number } } } } } } }"""

    answer = await us.async_graphql(query, {"owner": OWNER})

    board = answer["organization"]["projectV2"]
    assert board["items"]["nodes"] == [{"content": {"number": 1}}]
    with pytest.raises(GraphQLFailed):
        await us.async_graphql('{ organization(login: "nobody") { id } }')


async def test_refusals_are_read_as_githubs(clients: Clients) -> None:
    us = clients.installation

    with pytest.raises(RequestFailed) as refused:
        await us.rest.issues.async_get(*OURS, 99)

    assert refused.value.response.status_code == 404


async def test_deliveries_are_listed_and_sent_again(clients: Clients) -> None:
    world, app = clients.world, clients.app
    card = world.hub.projects[0].items[0]
    projects.move(world.hub, card, "Code", actor=world.hub.users["alice"])
    came = await world.inbox.until("projects_v2_item.edited")

    [delivery] = (await app.rest.apps.async_list_webhook_deliveries()).parsed_data
    await app.rest.apps.async_redeliver_webhook_delivery(delivery.id)

    again = await world.inbox.until("projects_v2_item.edited", 2)
    assert again.guid == came.guid == delivery.guid
