"""The engine's ports on GitHub, held to their words against the local GitHub."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from localhub import apps, checks, comments, git, issues, projects, pulls, reviews
from localhub.state import Delivery
from tests.github.on_localhub import World, on_localhub
from tests.localhub.small_hub import SmallHub, commit
from vibeboard.domain.board import (
    Actor,
    BoardKey,
    CardKey,
    Permission,
)
from vibeboard.engine.ports import (
    Annotation,
    CheckRun,
    Conclusion,
    Marker,
    SourceFile,
)
from vibeboard.errors import (
    GitHubRefused,
    GitHubUnavailable,
    RateLimited,
    UserError,
)

CARD = CardKey("acme/cart", 1)
MARK = Marker("run=01J")
COMMENT = "/repos/{owner}/{name}/issues/comments/{comment}"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with on_localhub(tmp_path) as one:
        yield one


# --- Who we are -----------------------------------------------------------------


async def test_we_know_who_we_are_and_where(world: World) -> None:
    identity = await world.ports.identity()
    installations = await world.ports.installations()

    assert identity.login == "vibe[bot]"
    assert [one.owner for one in installations] == ["acme"]
    assert await world.ports.missing_permissions() == []


async def test_a_permission_that_was_not_granted_is_told(world: World) -> None:
    [installation] = world.small.hub.installations.values()
    installation.permissions["checks"] = "read"

    assert await world.ports.missing_permissions() == [
        "checks: write on acme (to show runs and tests on commits)"
    ]


# --- Cards --------------------------------------------------------------------


async def test_a_card_is_read_with_its_places(world: World) -> None:
    card = await world.cards.read(CARD)

    assert card is not None
    assert card.key == CARD
    assert card.title == "Fix the rounding"
    assert card.author == Actor("alice")
    assert card.labels == ("bug",)
    assert card.is_open
    assert card.places == (world.place(),)


async def test_the_same_card_is_found_by_its_node_id(world: World) -> None:
    cards = world.cards

    assert await cards.at("acme", world.small.issue.node_id) == CARD


async def test_what_is_no_card_is_none(world: World) -> None:
    cards = world.cards

    assert await cards.read(CardKey("acme/cart", world.small.pull.number)) is None
    assert await cards.read(CardKey("acme/cart", 999)) is None
    assert await cards.read(CardKey("acme/nothing", 1)) is None
    assert await cards.at("acme", "I_nothing") is None
    assert await cards.at("acme", world.small.pull.node_id) is None


async def test_a_closed_card_is_not_open(world: World) -> None:
    world.small.issue.state = "closed"
    world.small.issue.closed_at = world.small.hub.now()

    card = await world.cards.read(CARD)

    assert card is not None
    assert not card.is_open


async def test_an_archived_card_stands_nowhere(world: World) -> None:
    item = world.small.card("Fix the rounding")
    projects.archive(world.small.hub, item, actor=world.small.alice)

    card = await world.cards.read(CARD)

    assert card is not None
    assert card.places == ()


async def test_a_card_moves_to_a_column_by_name_whatever_its_case(world: World) -> None:
    await world.cards.move(world.place(), "develop", field="Status")

    card = await world.cards.read(CARD)
    assert card is not None
    assert card.places[0].column == "Develop"


async def test_a_number_is_shown_on_the_card_and_written_once(world: World) -> None:
    cards, hub, place = world.cards, world.small.hub, world.place()
    item = world.small.card("Fix the rounding")
    field = projects.add_field(hub, item.project, "Cost", "NUMBER")

    for number in (1.25, 1.25, 3.5, 0.0):
        await cards.show_number(place, number, field="cost")
        assert item.values[field.id] == number

    assert world.ports.github.calls["set_number"] == 3


@pytest.mark.parametrize("field", ["Status", "Note", "Nothing"])
async def test_a_field_that_takes_no_number_is_told(world: World, field: str) -> None:
    item = world.small.card("Fix the rounding")
    projects.add_field(world.small.hub, item.project, "Note", "TEXT")

    with pytest.raises(UserError, match=f"has no number field “{field}”"):
        await world.cards.show_number(world.place(), 1, field=field)


async def test_a_card_that_left_its_board_gets_no_number(world: World) -> None:
    hub, place = world.small.hub, world.place()
    item = world.small.card("Fix the rounding")
    projects.add_field(hub, item.project, "Cost", "NUMBER")
    projects.archive(hub, item, actor=world.small.alice)

    await world.cards.show_number(place, 1, field="Cost")

    assert world.ports.github.calls["set_number"] == 0


async def test_moving_twice_writes_once(world: World) -> None:
    cards, place = world.cards, world.place()

    await cards.move(place, "Develop", field="Status")
    await cards.move(place, "Develop", field="Status")

    assert world.ports.github.calls["move_item"] == 1


async def test_a_move_whose_answer_was_lost_is_not_repeated(world: World) -> None:
    cards, place = world.cards, world.place()
    world.lose_the_answer(graphql="MoveItem")

    with pytest.raises(GitHubUnavailable):
        await cards.move(place, "Develop", field="Status")
    await cards.move(place, "Develop", field="Status")

    assert world.place().column == "Develop"
    assert world.ports.github.calls["move_item"] == 1


async def test_a_board_is_read_whole(world: World) -> None:
    small = world.small
    number = small.board.number
    later = issues.create(small.hub, small.repository, actor=small.bob, title="Later")
    item = projects.add(small.hub, small.board, later, actor=small.bob)
    projects.archive(small.hub, item, actor=small.bob)
    projects.add_draft(small.hub, small.board, title="Some day", actor=small.bob)
    projects.add(small.hub, small.board, small.pull, actor=small.bob)
    begun = small.clock.now
    await world.cards.move(world.place(), "Develop", field="Status")

    cards = await world.cards.on_board(BoardKey("acme", number), field="Status")

    assert cards is not None
    first, second = cards
    assert (first.key, first.issue) == (CARD, small.issue.node_id)
    assert (first.item, first.column) == (world.place().item, "Develop")
    # The client may have let the clock go on, to keep its calls apart.
    assert begun <= first.updated_at <= small.clock.now
    assert (first.set_by, first.set_at) == (Actor("alice"), first.updated_at)
    assert not first.archived
    assert (second.key, second.column) == (CardKey("acme/cart", later.number), None)
    assert second.archived


async def test_a_large_board_takes_a_request_a_hundred_cards(world: World) -> None:
    small = world.small
    for number in range(230):
        more = issues.create(
            small.hub, small.repository, actor=small.bob, title=f"Number {number}"
        )
        projects.add(small.hub, small.board, more, actor=small.bob)

    with world.counter.counted() as calls:
        cards = await world.cards.on_board(
            BoardKey("acme", small.board.number), field="Status"
        )

    assert cards is not None
    assert len({one.key for one in cards}) == 231
    assert world.ports.calls["cards_of_board"] == 3
    assert calls.points == 3


@pytest.mark.parametrize(("number", "field"), [(99, "Status"), (1, "Nothing")])
async def test_a_board_that_cannot_be_read_is_none(
    world: World, number: int, field: str
) -> None:
    known = {1: world.small.board.number}

    board = BoardKey("acme", known.get(number, number))
    assert await world.cards.on_board(board, field=field) is None


async def test_columns_that_were_replaced_are_found_by_name(world: World) -> None:
    small, cards = world.small, world.cards
    await cards.move(world.place(), "Develop", field="Status")
    replace_columns(small)

    await cards.move(world.place(), "Review", field="Status")

    assert world.place().column == "Review"


def replace_columns(small: SmallHub) -> None:
    field = projects.status_field(small.board)
    projects.replace_options(small.hub, small.board, field, field.options)


async def test_columns_replaced_in_mid_move_are_read_again(world: World) -> None:
    stale = {
        "data": {"updateProjectV2ItemFieldValue": None},
        "errors": [
            {
                "type": "UNPROCESSABLE",
                "message": "The single select option Id does not belong to the field",
            }
        ],
    }
    world.order(
        {"kind": "status", "status": 200, "body": json.dumps(stale)},
        graphql="MoveItem",
    )

    await world.cards.move(world.place(), "Review", field="Status")

    assert world.place().column == "Review"


async def test_an_unknown_column_is_told_with_those_there_are(world: World) -> None:
    with pytest.raises(UserError, match=r"no column “Reveiw”.*“Backlog”, .*“Done”"):
        await world.cards.move(world.place(), "Reveiw", field="Status")


@pytest.mark.parametrize("field", ["Stage", "Title"])
async def test_a_field_without_columns_is_told(world: World, field: str) -> None:
    with pytest.raises(UserError, match=f"no single-select field “{field}”"):
        await world.cards.move(world.place(), "Done", field=field)


async def test_a_card_that_left_its_board_cannot_be_moved(world: World) -> None:
    place = world.place()
    item = world.small.card("Fix the rounding")
    projects.delete(world.small.hub, item, actor=world.small.alice)

    with pytest.raises(UserError, match="no longer on board acme/"):
        await world.cards.move(place, "Done", field="Status")


async def test_all_comments_are_read_however_many(world: World) -> None:
    small = world.small
    for number in range(119):
        comments.create(small.hub, small.issue, f"Number {number}", actor=small.bob)

    said = await world.cards.comments(CARD)

    assert len(said) == 120
    assert [one.body for one in said] == world.bodies
    assert said[0].author == Actor("bob")


async def test_an_issues_text_is_replaced_and_cut(world: World) -> None:
    await world.cards.write_body(CARD, "A spec.\n" * 10_000)

    assert (world.small.issue.body or "").startswith("A spec.\n")
    assert len(world.small.issue.body or "") <= 60_000


# --- Repositories ---------------------------------------------------------------


async def test_a_repository_tells_its_default_branch(world: World) -> None:
    remote = await world.repositories.remote("acme/cart")

    assert remote.default_branch == "main"


async def test_a_file_comes_with_the_commit_it_was_read_at(world: World) -> None:
    small, repositories = world.small, world.repositories
    head = commit(
        small.repository, small.clock, "x", {".vibe.yml": "version: 1"}, "main"
    )
    feature = commit(small.repository, small.clock, "y", {".vibe.yml": "v: 2"}, "x/y")

    on_main = await repositories.file("acme/cart", ".vibe.yml")
    on_branch = await repositories.file("acme/cart", ".vibe.yml", ref="x/y")
    at_commit = await repositories.file("acme/cart", ".vibe.yml", ref=head)

    assert on_main is not None
    assert (on_main.text, on_main.commit) == ("version: 1", head)
    assert on_branch is not None
    assert (on_branch.text, on_branch.commit) == ("v: 2", feature)
    assert at_commit == on_main


async def test_a_file_that_is_not_there_is_none(world: World) -> None:
    repositories = world.repositories

    assert await repositories.file("acme/cart", "nothing.yml") is None
    assert await repositories.file("acme/cart", "README.md", ref="nothing") is None
    assert await repositories.file("acme/cart", "README.md", ref="0" * 40) is None
    assert await repositories.file("acme/nothing", "README.md") is None


async def test_a_remote_has_no_credential_in_its_address(world: World) -> None:
    remote = await world.repositories.remote("acme/cart")

    token = world.small.hub.tokens[await remote.credential()]

    assert remote.url == f"{world.running.url}/acme/cart.git"
    assert token.value not in repr(remote)
    assert token.repository_ids == frozenset({world.small.repository.id})
    assert token.permissions == {"contents": "write", "metadata": "read"}


@pytest.mark.parametrize("granted", [True, False])
async def test_workflows_are_written_by_a_persons_leave_and_the_apps(
    world: World, *, granted: bool
) -> None:
    (one,) = world.small.hub.installations.values()
    if granted:
        one.permissions["workflows"] = "write"

    async def told(*, approved: bool) -> str | None:
        remote = await world.repositories.remote("acme/cart", approved=approved)
        token = world.small.hub.tokens[await remote.credential()]
        return (token.permissions or {}).get("workflows")

    assert await told(approved=False) is None
    assert await told(approved=True) == ("write" if granted else None)


@pytest.mark.parametrize(
    ("login", "permission"),
    [
        ("alice", Permission.ADMIN),
        ("bob", Permission.WRITE),
        ("BOB", Permission.WRITE),
        ("mallory", Permission.READ),
        ("nobody-at-all", Permission.NONE),
        ("../../..", Permission.NONE),
    ],
)
async def test_permission_is_what_github_says_now(
    world: World, login: str, permission: Permission
) -> None:
    found = await world.repositories.permission("acme/cart", login)

    assert found is permission


async def test_permission_is_never_guessed(world: World) -> None:
    fault = {"kind": "status", "status": 500}
    world.order(fault, path="/permission$", times=9)

    with pytest.raises(GitHubUnavailable):
        await world.repositories.permission("acme/cart", "alice")


async def test_a_file_that_did_not_change_is_read_once_and_confirmed(
    world: World,
) -> None:
    small, repositories = world.small, world.repositories
    first = await repositories.file("acme/cart", "cart.py")
    assert await repositories.file("acme/cart", "nothing.py") is None

    with world.counter.counted() as calls:
        again = await repositories.file("acme/cart", "cart.py")
        assert await repositories.file("acme/cart", "nothing.py") is None

    assert again == first
    assert (calls.requests, calls.unchanged, calls.points) == (2, 2, 0)

    small.clock.forward(seconds=1)
    files = {"cart.py": "total = sum\n"}
    parent = git.resolve(small.repository.git_dir, "main")
    pushed = commit(small.repository, small.clock, "Sum", files, "main", parent)
    newest = await repositories.file("acme/cart", "cart.py")

    assert newest == SourceFile("total = sum\n", pushed)


async def test_a_repository_without_commits_has_no_file(world: World) -> None:
    git.delete_ref(world.small.repository.git_dir, "refs/heads/main")

    assert await world.repositories.file("acme/cart", "cart.py") is None


async def test_all_repositories_are_known(world: World) -> None:
    assert await world.repositories.installed() == ["acme/cart"]

    [installation] = world.small.hub.installations.values()
    apps.suspend(world.small.hub, installation, actor=world.small.alice)

    assert await world.repositories.installed() == []


# --- Deliveries -------------------------------------------------------------------


async def test_deliveries_are_listed_newest_first(world: World) -> None:
    small = world.small
    began = small.clock.now
    for number in range(150):
        delivered(small, f"guid-{number}")
        small.clock.forward(minutes=20)

    since = began + timedelta(hours=10)
    found = [one async for one in world.hook_deliveries.listed(since)]

    assert [one.guid for one in found] == [f"guid-{n}" for n in range(149, 29, -1)]
    assert found[0].delivered_at == began + timedelta(minutes=20 * 149)
    assert (found[0].event, found[0].action) == ("issues", "opened")
    assert (found[0].status, found[0].status_code) == ("OK", 202)
    assert not found[0].redelivery
    listing = "GET /app/hook/deliveries{?per_page}"
    assert world.ports.calls[listing] == 2


async def test_github_forgets_deliveries_after_three_days(world: World) -> None:
    small = world.small
    delivered(small, "guid-old")
    small.clock.forward(days=2)
    delivered(small, "guid-new")
    small.clock.forward(days=2)

    since = small.clock.now - timedelta(days=30)
    found = [one.guid async for one in world.hook_deliveries.listed(since)]

    assert found == ["guid-new"]


async def test_a_delivery_is_asked_for_again(world: World) -> None:
    small = world.small
    delivered(small, "guid-1")
    [one] = [one async for one in world.hook_deliveries.listed(small.clock.now)]

    await world.hook_deliveries.redeliver(one.id)

    again = small.hub.deliveries[-1]
    assert (again.guid, again.redelivery) == ("guid-1", True)


async def test_a_delivery_that_github_forgot_is_refused(world: World) -> None:
    with pytest.raises(GitHubRefused) as caught:
        await world.hook_deliveries.redeliver(1)

    assert caught.value.status_code == 404


def delivered(small: SmallHub, guid: str) -> None:
    small.hub.deliveries.append(
        Delivery(
            id=small.hub.new_delivery_id(),
            guid=guid,
            app=small.app,
            event="issues",
            action="opened",
            installation_id=1,
            repository_id=small.repository.id,
            headers={},
            body="{}",
            delivered_at=small.clock.now,
            status="OK",
            status_code=202,
        )
    )


# --- Counting ---------------------------------------------------------------------


async def test_calls_are_counted_for_whom_they_are_made(world: World) -> None:
    async def another() -> None:
        await world.repositories.permission("acme/cart", "bob")

    await world.repositories.permission("acme/cart", "alice")
    with world.counter.counted() as outer:
        await world.repositories.permission("acme/cart", "alice")
        with world.counter.counted() as inner:
            await asyncio.gather(another(), world.cards.read(CARD))
    await world.cards.read(CARD)

    assert (inner.requests, inner.points, inner.unchanged) == (2, 1, 0)
    assert (outer.requests, outer.points, outer.unchanged) == (3, 1, 1)


async def test_what_is_left_of_a_limit_is_known(world: World) -> None:
    await world.repositories.permission("acme/cart", "alice")
    await world.cards.read(CARD)

    left = world.ports.quotas["acme"]

    assert (left["core"].limit, left["core"].remaining) == (5000, 4999)
    assert (left["graphql"].limit, left["graphql"].remaining) == (5000, 4999)


# --- Replies ----------------------------------------------------------------------


async def test_a_reply_is_said_once_and_then_edited(world: World) -> None:
    replies = world.replies

    first = await replies.ensure(CARD, MARK, "Working.")
    second = await replies.ensure(CARD, MARK, "Done.")

    assert first == second
    assert world.ours == ["Done.\n\n<!-- vibe:run=01J -->"]


async def test_saying_the_same_again_writes_nothing(world: World) -> None:
    replies = world.replies
    await replies.ensure(CARD, MARK, "Working.")
    before = sum(world.ports.github.calls.values())

    await replies.ensure(CARD, MARK, "Working.")

    assert sum(world.ports.github.calls.values()) == before + 1


async def test_nothing_that_is_written_holds_a_secret(world: World) -> None:
    token = f"ghp_{'x1Y2' * 9}"
    leak = f"It said {token} there."

    await world.replies.ensure(CARD, MARK, leak)
    before = sum(world.ports.github.calls.values())
    await world.replies.ensure(CARD, MARK, leak)
    assert sum(world.ports.github.calls.values()) == before + 1, "it says so already"
    await world.cards.write_body(CARD, leak)
    note = Annotation("cart.py", 1, leak, title=leak)
    leaky = check(world, title=leak, conclusion=Conclusion.FAILURE, annotations=(note,))
    await world.checks.put("acme/cart", leaky)
    await world.checks.put("acme/cart", leaky)
    commit(world.small.repository, world.small.clock, "x", {"a": "b"}, "vibe/9-leak")
    await world.pulls.ensure(
        "acme/cart", branch="vibe/9-leak", base="main", title=leak, body=leak
    )

    (pull,) = [p for p in world.small.repository.pulls if p.head_ref == "vibe/9-leak"]
    (run,) = shown(world)
    (remark,) = run.annotations
    written = [world.ours[0], world.small.issue.body or "", run.title or ""]
    written += [pull.title, pull.body or "", *map(str, remark.values())]
    assert all(token not in text for text in written)
    assert sum("It said [redacted] there." in text for text in written) == 7
    assert sum("PATCH" in c and "check" in c for c in world.ports.github.calls) == 0


async def test_a_known_comment_is_edited_without_a_search(world: World) -> None:
    replies = world.replies
    comment = await replies.ensure(CARD, MARK, "Working.")
    before = sum(world.ports.github.calls.values())

    await replies.ensure(CARD, MARK, "Done.", known=comment)

    assert sum(world.ports.github.calls.values()) == before + 1
    assert world.ours == ["Done.\n\n<!-- vibe:run=01J -->"]


async def test_a_comment_that_somebody_deleted_is_said_again(world: World) -> None:
    small, replies = world.small, world.replies
    known = await replies.ensure(CARD, MARK, "Working.")
    comments.delete(small.hub, small.issue.comments[-1], actor=small.alice)

    again = await replies.ensure(CARD, MARK, "Done.", known=known)

    assert again != known
    assert world.ours == ["Done.\n\n<!-- vibe:run=01J -->"]


async def test_two_topics_are_two_comments(world: World) -> None:
    await world.replies.ensure(CARD, MARK, "One.")
    await world.replies.ensure(CARD, Marker("run=02J"), "Two.")

    assert len(world.ours) == 2


async def test_a_comment_whose_answer_was_lost_is_there_once(world: World) -> None:
    world.lose_the_answer(method="POST", path="/comments$")

    comment = await world.replies.ensure(CARD, MARK, "Working.")

    assert len(world.ours) == 1
    assert comment == world.small.issue.comments[-1].id


async def test_a_comment_that_was_not_written_is_left_to_the_next_try(
    world: World,
) -> None:
    world.order({"kind": "status", "status": 502}, method="POST", path="/comments$")

    with pytest.raises(GitHubUnavailable):
        await world.replies.ensure(CARD, MARK, "Working.")
    assert world.ours == []

    await world.replies.ensure(CARD, MARK, "Working.")
    assert len(world.ours) == 1


async def test_two_at_once_are_one_comment(world: World) -> None:
    replies = world.replies

    await asyncio.gather(*(replies.ensure(CARD, MARK, "Working.") for _ in range(5)))

    assert len(world.ours) == 1


async def test_of_many_texts_that_wait_only_the_last_is_written(world: World) -> None:
    replies = world.replies
    comment = await replies.ensure(CARD, MARK, "Working.")
    edits = f"PATCH {COMMENT}"

    await asyncio.gather(
        *(
            replies.ensure(CARD, MARK, f"{number} %", known=comment)
            for number in range(40)
        )
    )

    assert world.ours == ["39 %\n\n<!-- vibe:run=01J -->"]
    assert world.ports.calls[edits] == 2  # the first, which need not wait, and the last


async def test_a_new_comment_that_is_not_known_everywhere_is_no_deleted_one(
    world: World,
) -> None:
    comment = await world.replies.ensure(CARD, MARK, "Working.")
    unknown = {"kind": "status", "status": 404, "body": '{"message": "Not Found"}'}
    world.order(unknown, method="PATCH", path="/comments/")

    again = await world.replies.ensure(CARD, MARK, "Done.", known=comment)

    assert again == comment
    assert len(world.ours) == 1


async def test_a_forged_marker_is_not_ours(world: World) -> None:
    small = world.small
    forged = "Mine.\n\n<!-- vibe:run=01J -->"
    comments.create(small.hub, small.issue, forged, actor=small.stranger)

    await world.replies.ensure(CARD, MARK, "Working.")

    assert forged in world.bodies
    assert world.ours == ["Working.\n\n<!-- vibe:run=01J -->"]


async def test_our_comment_is_found_behind_a_hundred_others(world: World) -> None:
    small, replies = world.small, world.replies
    comment = await replies.ensure(CARD, MARK, "Working.")
    for number in range(120):
        comments.create(small.hub, small.issue, f"Number {number}", actor=small.bob)

    assert await replies.ensure(CARD, MARK, "Done.") == comment


async def test_a_reply_on_a_pull_request(world: World) -> None:
    thread = CardKey("acme/cart", world.small.pull.number)

    await world.replies.ensure(thread, MARK, "Hello.")
    await world.replies.ensure(thread, MARK, "Hello again.")

    assert [one.body for one in world.small.pull.comments] == [
        "Hello again.\n\n<!-- vibe:run=01J -->"
    ]


async def test_a_long_reply_is_cut_and_stays_ours(world: World) -> None:
    replies = world.replies

    await replies.ensure(CARD, MARK, "```\n" + "x" * 70_000)
    await replies.ensure(CARD, MARK, "```\n" + "y" * 70_000)

    [body] = world.ours
    assert len(body) <= 60_000
    assert "\n```\n" in body


async def test_a_reply_on_an_issue_that_is_gone_is_refused(world: World) -> None:
    with pytest.raises(GitHubRefused) as caught:
        await world.replies.ensure(CardKey("acme/cart", 999), MARK, "Hello.")

    assert caught.value.status_code == 404


async def test_a_limit_reaches_the_caller_with_its_time(world: World) -> None:
    limit = {"kind": "status", "status": 429, "headers": {"Retry-After": "3"}}
    world.order(limit, method="POST", path="/comments$")

    with pytest.raises(RateLimited) as caught:
        await world.replies.ensure(CARD, MARK, "Working.")
    world.small.clock.forward(seconds=4)
    await world.replies.ensure(CARD, MARK, "Working.")

    assert caught.value.after == timedelta(seconds=3)
    assert len(world.ours) == 1


async def test_a_reaction_is_given_once(world: World) -> None:
    comment = world.small.issue.comments[0]

    for _ in range(2):
        await world.replies.react("acme/cart", comment.id, "eyes", review=False)

    assert [one.content for one in comment.reactions] == ["eyes"]


async def test_a_deleted_comment_needs_no_reaction(world: World) -> None:
    await world.replies.react("acme/cart", 999_999, "eyes", review=False)


async def test_a_review_is_answered_once_in_its_thread(world: World) -> None:
    asked = world.small.pull.review_comments[0]
    number = world.small.pull.number
    replies = world.replies

    await replies.react("acme/cart", asked.id, "eyes", review=True)
    for _ in range(2):
        await replies.answer_review("acme/cart", number, asked.id, "Done in c0ffee.")

    _, answer = world.small.pull.review_comments
    assert answer.in_reply_to is asked
    assert answer.body == f"Done in c0ffee.\n\n<!-- vibe:review={asked.id} -->"
    assert [one.content for one in asked.reactions] == ["eyes"]


async def test_an_answer_to_an_answer_goes_to_the_thread(world: World) -> None:
    small = world.small
    first = small.pull.review_comments[0]
    asked = reviews.reply(small.hub, first, "And here?", actor=small.bob)

    await world.replies.answer_review("acme/cart", small.pull.number, asked.id, "Done.")

    assert small.pull.review_comments[-1].in_reply_to is first


async def test_an_answer_to_a_review_that_was_lost_is_there_once(world: World) -> None:
    asked = world.small.pull.review_comments[0]
    world.lose_the_answer(method="POST", path="/replies$")

    await world.replies.answer_review(
        "acme/cart", world.small.pull.number, asked.id, "Done."
    )

    assert len(world.small.pull.review_comments) == 2


# --- Pull requests ----------------------------------------------------------------


def new_branch(world: World, name: str = "vibe/9-clock") -> str:
    small = world.small
    return commit(small.repository, small.clock, "Fix", {"clock.py": "x = 1\n"}, name)


async def open_pull(world: World, body: str = "Why and how.") -> Any:
    return await world.pulls.ensure(
        "acme/cart",
        branch="vibe/9-clock",
        base="main",
        title="Fix\nthe clock",
        body=body,
    )


def opened(world: World) -> list[Any]:
    of_branch = "vibe/9-clock"
    return [one for one in world.small.repository.pulls if one.head_ref == of_branch]


async def test_a_pull_request_is_opened_as_a_draft(world: World) -> None:
    head = new_branch(world)

    pull = await open_pull(world)

    assert (pull.branch, pull.head) == ("vibe/9-clock", head)
    assert pull.is_open
    assert pull.is_draft
    assert not pull.merged
    assert opened(world)[0].title == "Fix the clock"
    assert await world.pulls.read("acme/cart", pull.number) == pull
    assert await world.pulls.of_branch("acme/cart", "vibe/9-clock") == pull


async def test_an_open_pull_request_gets_the_new_text(world: World) -> None:
    new_branch(world)
    first = await open_pull(world)

    second = await open_pull(world, "More.")

    assert second.number == first.number
    assert second.body == "More."
    assert len(opened(world)) == 1


async def test_the_same_text_is_not_written_again(world: World) -> None:
    new_branch(world)
    await open_pull(world)

    await open_pull(world)

    assert world.ports.github.calls["PATCH /repos/{owner}/{name}/pulls/{number}"] == 0


async def test_a_pull_request_whose_answer_was_lost_is_there_once(world: World) -> None:
    new_branch(world)
    world.lose_the_answer(method="POST", path="/pulls$")

    pull = await open_pull(world)

    assert [one.number for one in opened(world)] == [pull.number]


async def test_a_pull_request_that_somebody_opened_meanwhile_is_adopted(
    world: World,
) -> None:
    new_branch(world)
    there = await open_pull(world)
    # The first look finds nothing, as when somebody is just a little faster.
    nothing = {"kind": "status", "status": 200, "body": "[]"}
    world.order(nothing, method="GET", path="/pulls$")

    assert (await open_pull(world, "More.")).number == there.number
    assert opened(world)[0].body == "More."


async def test_a_plan_without_drafts_gets_a_plain_pull_request(world: World) -> None:
    new_branch(world)
    message = "Draft pull requests are not supported in this repository."
    body = json.dumps({"message": message})
    refusal = {"kind": "status", "status": 422, "body": body}
    world.order(refusal, method="POST", path="/pulls$")

    assert not (await open_pull(world)).is_draft


async def test_a_merged_branch_gets_a_new_pull_request(world: World) -> None:
    new_branch(world)
    old = await open_pull(world)
    small = world.small
    pulls.set_draft(small.hub, opened(world)[0], draft=False, actor=small.alice)
    opened(world)[0].state = "closed"

    new = await open_pull(world)

    assert new.number > old.number
    found = await world.pulls.of_branch("acme/cart", "vibe/9-clock")
    assert found is not None
    assert found.number == new.number


async def test_a_branch_without_a_pull_request_has_none(world: World) -> None:
    assert await world.pulls.of_branch("acme/cart", "vibe/nothing") is None


async def test_a_pull_request_tells_its_files(world: World) -> None:
    number = world.small.pull.number

    files = await world.pulls.files("acme/cart", number)

    assert sorted(files) == ["cart.py", "tests/test_cart.py"]


# --- Checks -----------------------------------------------------------------------


def check(world: World, **more: Any) -> CheckRun:
    values = {
        "name": "vibeboard / qa",
        "head": world.small.pull.head_sha,
        "external_id": "01J",
        "title": "Running",
        "summary": "Soon.",
        "conclusion": None,
    }
    return CheckRun(**{**values, **more})


def shown(world: World) -> list[Any]:
    small = world.small
    runs = checks.runs_for(small.repository, small.pull.head_sha)
    return [one for one in runs if one.name == "vibeboard / qa"]


def remarks(count: int) -> tuple[Annotation, ...]:
    return tuple(
        Annotation("cart.py", line, f"Remark {line}") for line in range(1, count + 1)
    )


async def test_a_check_is_created_and_then_brought_up_to_date(world: World) -> None:
    put = world.checks.put

    first = await put("acme/cart", check(world))
    second = await put(
        "acme/cart",
        check(world, title="3 tests passed", conclusion=Conclusion.SUCCESS),
    )

    [run] = shown(world)
    assert first == second == run.id
    assert (run.status, run.conclusion, run.title) == (
        "completed",
        "success",
        "3 tests passed",
    )


async def test_another_run_has_its_own_check(world: World) -> None:
    await world.checks.put("acme/cart", check(world))
    await world.checks.put("acme/cart", check(world, external_id="02J"))

    assert len(shown(world)) == 2


async def test_a_check_whose_answer_was_lost_is_there_once(world: World) -> None:
    world.lose_the_answer(method="POST", path="/check-runs$")

    run = await world.checks.put("acme/cart", check(world))

    assert [one.id for one in shown(world)] == [run]


async def test_a_check_that_shows_it_already_is_not_written_again(
    world: World,
) -> None:
    wanted = check(world, conclusion=Conclusion.FAILURE, annotations=remarks(3))

    await world.checks.put("acme/cart", wanted)
    await world.checks.put("acme/cart", wanted)

    assert len(shown(world)[0].annotations) == 3
    calls = world.ports.github.calls
    assert sum(calls[one] for one in calls if one.startswith("PATCH")) == 0


async def test_annotations_go_in_batches_and_none_goes_twice(world: World) -> None:
    wanted = check(world, conclusion=Conclusion.FAILURE, annotations=remarks(120))

    await world.checks.put("acme/cart", check(world))
    await world.checks.put("acme/cart", wanted)
    await world.checks.put("acme/cart", wanted)

    lines = [one["start_line"] for one in shown(world)[0].annotations]
    assert lines == list(range(1, 121))


async def test_a_batch_that_was_lost_is_sent_by_the_next_try(world: World) -> None:
    wanted = check(world, conclusion=Conclusion.FAILURE, annotations=remarks(120))
    world.lose_the_answer(method="PATCH", path="/check-runs/")

    with pytest.raises(GitHubUnavailable):
        await world.checks.put("acme/cart", wanted)
    await world.checks.put("acme/cart", wanted)

    lines = [one["start_line"] for one in shown(world)[0].annotations]
    assert lines == list(range(1, 121))


async def test_what_is_too_long_for_a_check_is_cut(world: World) -> None:
    long = Annotation("cart.py", 0, "é" * 70_000, title="t" * 300)
    wanted = check(
        world,
        title="t" * 300,
        summary="```\n" + "é" * 70_000,
        text="é" * 70_000,
        annotations=(long,),
    )

    await world.checks.put("acme/cart", wanted)

    [run] = shown(world)
    assert len(run.title) == 255
    assert len(run.summary.encode()) <= 65_535
    assert "\n```\n" in run.summary
    assert run.annotations[0]["start_line"] == 1


async def test_a_check_may_ask_for_somebody_and_begin_again(world: World) -> None:
    put = world.checks.put
    shut = check(world, conclusion=Conclusion.ACTION_REQUIRED, text="What is missing")

    await put("acme/cart", shut)
    [run] = shown(world)
    assert (run.status, run.conclusion) == ("completed", "action_required")

    await put("acme/cart", check(world))
    assert (run.status, run.conclusion, run.text) == ("in_progress", None, "")

    before = sum(world.ports.calls.values())
    await put("acme/cart", check(world))
    assert sum(world.ports.calls.values()) == before + 1  # it shows that already


async def test_a_check_of_another_app_is_not_ours(world: World) -> None:
    small = world.small
    other = replace(small.app, id=small.app.id + 1, slug="other")
    asked = {
        "name": "vibeboard / qa",
        "head_sha": small.pull.head_sha,
        "external_id": "01J",
        "status": "in_progress",
    }
    checks.create_run(small.hub, small.repository, other, asked, actor=small.bob)

    await world.checks.put("acme/cart", check(world))

    assert len(shown(world)) == 2
