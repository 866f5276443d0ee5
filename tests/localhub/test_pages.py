"""The pages, as a browser without a script would use them."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from localhub import checks, deployments, issues, pages, projects
from localhub.markdown import to_html
from localhub.state import Protection, RequiredCheck
from tests.localhub.small_hub import SmallHub, small_hub

Client = TestClient[web.Request, web.Application]
Get = Callable[[str], Awaitable[str]]
BOARD = "/orgs/acme/projects/1"


@pytest.fixture
def small(tmp_path: Path) -> SmallHub:
    return small_hub(tmp_path)


@pytest.fixture
async def client(small: SmallHub, aiohttp_client: Any) -> Client:
    app = web.Application()
    app.add_routes(pages.routes(small.hub))
    client: Client = await aiohttp_client(app)
    return client


@pytest.fixture
def get(client: Client) -> Get:
    async def get(path: str) -> str:
        answer = await client.get(path)
        assert answer.status == 200, path
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        return await answer.text()

    return get


PAGES = [
    "/",
    BOARD,
    "/users/alice/projects/1",
    "/acme/cart",
    "/acme/cart/tree/main/",
    "/acme/cart/blob/main/cart.py",
    "/acme/cart/issues",
    "/acme/cart/pulls",
    "/acme/cart/actions",
    "/acme/cart/issues/1",
    "/acme/cart/pull/2",
    "/_localhub/deliveries",
]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_loads_nothing_from_elsewhere_and_holds_no_inline_code(
    get: Get, path: str
) -> None:
    html = await get(path)

    for address in re.findall(
        r"<(?:link|script|img)[^>]*(?:href|src)=\"([^\"]*)", html
    ):
        assert address.startswith("/_localhub/static/")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>", html)


async def test_a_card_moves_by_its_form(client: Client, small: SmallHub) -> None:
    card = small.card("Fix the rounding")

    form = {"column": small.option("Develop")}
    answer = await client.post(f"{BOARD}/items/{card.id}/move", data=form)

    assert answer.url.path == BOARD
    assert small.column(card) == "Develop"
    assert small.told[-1].sender is small.alice


async def test_a_card_dropped_between_two_takes_its_place(
    client: Client, small: SmallHub
) -> None:
    first = projects.add_draft(small.hub, small.board, "First", actor=small.alice)
    last = projects.add_draft(small.hub, small.board, "Last", actor=small.alice)
    for item in (first, last):
        projects.move(small.hub, item, "Develop", actor=small.alice)
    card = small.card("Fix the rounding")

    form = {"column": small.option("Develop"), "after": first.id, "next": last.id}
    await client.post(f"{BOARD}/items/{card.id}/move", data=form)

    assert projects.ordered(small.board) == [first, card, last]


async def test_a_visitor_acts_as_whom_they_choose(
    client: Client, small: SmallHub
) -> None:
    await client.post("/_localhub/acting", data={"login": "bob", "back": BOARD})
    await client.post("/acme/cart/issues/1/comments", data={"body": "/agent refine"})

    comment = small.issue.comments[-1]
    assert (comment.user.login, comment.body) == ("bob", "/agent refine")


async def test_a_stranger_neither_sees_nor_moves(
    client: Client, small: SmallHub
) -> None:
    await client.post("/_localhub/acting", data={"login": "mallory"})
    card = small.card("Fix the rounding")

    shown = await client.get(BOARD)
    moved = await client.post(
        f"{BOARD}/items/{card.id}/move", data={"column": small.option("Develop")}
    )

    assert (shown.status, moved.status) == (404, 404)
    assert small.column(card) is None


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}],
)
async def test_a_form_of_another_site_is_refused(
    client: Client, small: SmallHub, headers: dict[str, str]
) -> None:
    answer = await client.post(
        "/acme/cart/issues/1/comments", data={"body": "spam"}, headers=headers
    )

    assert answer.status == 403
    assert len(small.issue.comments) == 1


async def test_the_live_board_answers_304_until_something_changes(
    client: Client, small: SmallHub
) -> None:
    wanted = {"X-Fragment": "cards"}
    first = await client.get(BOARD, headers=wanted)
    same = {**wanted, "If-None-Match": first.headers["ETag"]}

    unchanged = await client.get(BOARD, headers=same)
    projects.move(
        small.hub, small.card("Fix the rounding"), "Review", actor=small.alice
    )
    changed = await client.get(BOARD, headers=same)

    assert (unchanged.status, changed.status) == (304, 200)
    assert "<html" not in await changed.text()


async def test_cards_are_added_archived_and_restored(
    client: Client, small: SmallHub
) -> None:
    column = {"column": small.option("Backlog")}
    new = {**column, "title": "Say hello", "repository": "acme/cart"}
    known = {**column, "title": "#2", "repository": "acme/cart"}
    note = {**column, "title": "Think", "repository": ""}
    for form in (new, known, note):
        await client.post(f"{BOARD}/items", data=form)

    item = small.card("Say hello")
    assert small.column(item) == "Backlog"
    assert small.card("Round once, at the end").content is small.pull
    await client.post(f"{BOARD}/items/{item.id}/archive")
    assert item.archived_at
    await client.post(f"{BOARD}/items/{item.id}/restore")
    assert item.archived_at is None


async def test_an_issue_shows_tables_and_tasks_but_no_hidden_marker(get: Get) -> None:
    html = await get("/acme/cart/issues/1")

    assert '<th class="right">expected</th>' in html
    assert '<li class="task"><input type="checkbox" disabled checked>' in html
    assert "<details><summary>Log</summary>" in html
    assert "hidden marker" not in html


async def test_an_issue_is_closed_reopened_and_reacted_to(
    client: Client, small: SmallHub
) -> None:
    comments = "/acme/cart/issues/1/comments"
    await client.post(comments, data={"state": "closed", "body": ""})
    assert small.issue.state == "closed"
    await client.post(comments, data={"state": "open", "body": "Not yet"})
    assert small.issue.state == "open"

    form = {"subject": small.issue.node_id, "content": "rocket"}
    await client.post("/acme/cart/reactions", data=form)
    assert [one.content for one in small.issue.reactions] == ["rocket"]
    await client.post("/acme/cart/reactions", data=form)
    assert small.issue.reactions == []


async def test_a_pull_request_shows_checks_diff_and_line_comments(get: Get) -> None:
    html = await get("/acme/cart/pull/2")

    assert "vibeboard / tests" in html
    assert "<td>+    return round(result, 2)</td>" in html
    assert "float arithmetic" in html
    assert "<code>Decimal</code>" in html


async def test_a_pull_request_shows_where_it_is_deployed(
    get: Get, small: SmallHub
) -> None:
    for environment, state in (("docs", "inactive"), ("preview", "success")):
        asked = {"ref": small.pull.head_sha, "environment": environment}
        one = deployments.create(small.hub, small.repository, asked, actor=small.alice)
        status = {"state": state, "environment_url": "https://pr-2.example"}
        deployments.report(small.hub, one, status, actor=small.alice)

    html = await get("/acme/cart/pull/2")

    assert html.count("View deployment") == 1
    assert '<a href="https://pr-2.example" rel="noopener' in html
    assert html.index("docs") < html.index("destroyed") < html.index("View deployment")


async def test_a_pull_request_is_reviewed_and_merged(
    client: Client, small: SmallHub
) -> None:
    home = "/acme/cart/pull/2"
    line = {"path": "cart.py", "line": "4", "side": "RIGHT", "body": "Nice"}
    await client.post(f"{home}/reviews", data={**line, "event": "COMMENT"})
    await client.post(f"{home}/reviews", data={"event": "APPROVE", "body": ""})
    await client.post(f"{home}/ready")
    await client.post(f"{home}/merge")

    assert small.pull.merged_by is small.alice
    assert [one.state for one in small.pull.reviews[1:]] == ["COMMENTED", "APPROVED"]
    assert small.issue.state == "closed"


async def test_a_pull_request_is_put_into_the_merge_queue(
    client: Client, get: Get, small: SmallHub
) -> None:
    required = (RequiredCheck("ci"),)
    small.repository.protections["main"] = Protection(checks=required, queue=True)
    good = {"context": "ci", "state": "success", "description": "All is well"}
    sha, small.pull.draft = small.pull.head_sha, False
    checks.set_status(small.hub, small.repository, sha, good, actor=small.bob)
    html = await get("/acme/cart/pull/2")
    assert "Merge when ready" in html
    assert "All is well" in html

    await client.post("/acme/cart/pull/2/merge")

    assert [one.pull for one in small.repository.queue] == [small.pull]
    assert "Queued to merge" in await get("/acme/cart/pull/2")


@pytest.mark.parametrize(
    "path",
    [
        "/acme/nothing",
        "/acme/cart/issues/99",
        "/acme/cart/pull/1",
        "/acme/cart/tree/main/nowhere",
        "/acme/cart/blob/main/nowhere.py",
        "/orgs/acme/projects/9",
        "/users/acme/projects/1",
    ],
)
async def test_what_is_not_there_is_a_404(client: Client, path: str) -> None:
    assert (await client.get(path)).status == 404


async def test_what_is_refused_is_said(client: Client) -> None:
    answer = await client.post("/acme/cart/pull/2/merge")

    assert answer.status == 405
    assert "still a draft" in await answer.text()


@pytest.mark.parametrize(
    ("text", "html"),
    [
        pytest.param("<script>alert(1)</script>x", "x", id="script"),
        pytest.param("<img src=x onerror=alert(1)>", '<img src="x">', id="handler"),
        pytest.param('<a href="java\tscript:x">y</a>', "y</a>", id="scheme"),
        pytest.param("<svg><style><img src=x></style>", "", id="svg"),
        pytest.param("<details><summary>s", "<details><summary>s", id="unclosed"),
        pytest.param('<a href="data:text/html,x">y</a>', "y</a>", id="data"),
        pytest.param("<b title='\"><img>'>z</b>", "<b>z</b>", id="attribute"),
        pytest.param("<!-- hidden --><b>x</b>", "<b>x</b>", id="comment"),
    ],
)
def test_markdown_is_safe(text: str, html: str) -> None:
    rendered = to_html(text)

    assert html in rendered
    assert not re.search(r"(?i)<script|onerror|javascript:|data:|<style|<svg", rendered)
    for tag in ("details", "summary", "b", "a"):
        assert rendered.count(f"<{tag}") >= rendered.count(f"</{tag}>")


async def test_a_hostile_title_stays_text(get: Get, small: SmallHub) -> None:
    title = "<script>x</script>"
    issue = issues.create(small.hub, small.repository, actor=small.alice, title=title)
    projects.add(small.hub, small.board, issue, actor=small.alice)

    for path in (BOARD, "/acme/cart/issues", f"/acme/cart/issues/{issue.number}"):
        assert "<script>x" not in await get(path)
