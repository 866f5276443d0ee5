"""What the port `Pulls` tells those who decide about a pull request.

On the local GitHub; what no GitHub in order answers comes from a script.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localhub import checks, comments, git, reviews
from localhub.state import (
    App,
    Protection,
    Repository,
    RequiredCheck,
    Review,
    User,
)
from tests.github.on_localhub import World, on_localhub
from tests.github.scripted import Scripted, answer, scripted
from tests.localhub.small_hub import commit
from vibeboard.domain.board import Actor, CardKey
from vibeboard.engine.ports import HeadCheck, Marker, PullReview, PullView, ReviewState
from vibeboard.errors import GitHubRefused, GitHubUnavailable
from vibeboard.github.app import GitHubPorts
from vibeboard.github.transport import Retries

CART = "acme/cart"
GATE = Marker("gate")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    # Hundreds of reviews take the local GitHub a while.
    async with on_localhub(tmp_path, retries=Retries()) as one:
        one.small.pull.reviews.clear()
        one.small.repository.check_suites.clear()
        yield one


async def look(world: World) -> PullView:
    return await world.pulls.view(CART, world.small.pull.number)


# --- The pull request itself ------------------------------------------------------


async def test_a_pull_request_is_seen_as_it_stands(world: World) -> None:
    pull = world.small.pull

    view = await look(world)

    assert view == PullView(
        number=pull.number,
        url=f"{world.running.url}/acme/cart/pull/{pull.number}",
        title=pull.title,
        body=pull.body or "",
        branch="vibe/1-fix-the-rounding",
        base="main",
        head=pull.head_sha,
        is_open=True,
        is_draft=pull.draft,
        merged=False,
        author=Actor("vibe[bot]", is_bot=True),
        behind=0,
    )


async def test_commits_of_the_base_that_the_head_lacks_are_counted(
    world: World,
) -> None:
    small = world.small
    for number in range(3):
        head = git.resolve(small.repository.git_dir, "main")
        files = {f"{number}.txt": "x\n"}
        commit(small.repository, small.clock, "More", files, "main", head)

    assert (await look(world)).behind == 3


async def test_a_merged_pull_request_is_not_open(world: World) -> None:
    pull = world.small.pull
    pull.state, pull.merged_at = "closed", world.small.hub.now()
    git.delete_ref(world.small.repository.git_dir, "refs/heads/main")

    view = await look(world)

    assert (view.is_open, view.merged, view.behind) == (False, True, 0)


async def test_a_branch_of_a_fork_is_told_with_its_owner(world: World) -> None:
    small = world.small
    fork = {**vars(small.repository), "owner": small.stranger, "node_id": "R_fork"}
    small.pull.head_repository = Repository(**fork)

    view = await look(world)

    assert view.branch == "mallory:vibe/1-fix-the-rounding"
    assert view.behind == 0


async def test_a_pull_request_that_is_not_there_is_refused(world: World) -> None:
    with pytest.raises(GitHubRefused) as caught:
        await world.pulls.view(CART, 999)

    assert caught.value.status_code == 404


async def test_a_head_that_github_has_not_compared_yet_is_asked_for_later(
    world: World,
) -> None:
    small = world.small
    old = f"refs/pull/{small.pull.number}/head"
    main = git.resolve(small.repository.git_dir, "main")
    assert main is not None
    git.update_ref(small.repository.git_dir, old, main)

    with pytest.raises(GitHubUnavailable, match="not compared the new head"):
        await look(world)


# --- Reviews ----------------------------------------------------------------------


def give(world: World, by: User, event: str, *, seconds: int = 60) -> Review:
    small = world.small
    small.clock.forward(seconds=seconds)
    return reviews.create(small.hub, small.pull, actor=by, body="Hm.", event=event)


def states(view: PullView) -> list[tuple[str, ReviewState]]:
    return [(one.by.login, one.state) for one in view.reviews]


async def test_a_review_tells_who_said_what_about_which_commit(world: World) -> None:
    small = world.small
    given = give(world, small.bob, "APPROVE")

    [review] = (await look(world)).reviews

    assert review == PullReview(
        by=Actor("bob"),
        state=ReviewState.APPROVED,
        commit=given.commit_id,
        at=small.clock.now,
    )


@pytest.mark.parametrize(
    ("given", "left"),
    [
        pytest.param(["COMMENT"], ReviewState.COMMENTED, id="a comment alone"),
        pytest.param(
            ["APPROVE", "COMMENT"],
            ReviewState.APPROVED,
            id="a comment takes no approval back",
        ),
        pytest.param(
            ["COMMENT", "REQUEST_CHANGES"],
            ReviewState.CHANGES_REQUESTED,
            id="an opinion replaces a comment",
        ),
        pytest.param(
            ["REQUEST_CHANGES", "APPROVE", "COMMENT", "COMMENT"],
            ReviewState.APPROVED,
            id="the latest opinion counts",
        ),
        pytest.param(
            ["APPROVE", "REQUEST_CHANGES"],
            ReviewState.CHANGES_REQUESTED,
            id="whatever it is",
        ),
    ],
)
async def test_of_each_person_the_latest_opinion_is_left(
    world: World, given: list[str], left: ReviewState
) -> None:
    for event in given:
        give(world, world.small.bob, event)
    give(world, world.small.stranger, "APPROVE")

    assert states(await look(world)) == [
        ("bob", left),
        ("mallory", ReviewState.APPROVED),
    ]


async def test_opinions_of_one_second_keep_their_order(world: World) -> None:
    for event in ("APPROVE", "REQUEST_CHANGES"):
        give(world, world.small.bob, event, seconds=0)

    assert states(await look(world)) == [("bob", ReviewState.CHANGES_REQUESTED)]


async def test_a_dismissed_review_does_not_bring_an_older_one_back(
    world: World,
) -> None:
    small = world.small
    give(world, small.bob, "APPROVE")
    last = give(world, small.bob, "REQUEST_CHANGES")
    reviews.dismiss(small.hub, last, "Talked about it", actor=small.alice)

    assert states(await look(world)) == [("bob", ReviewState.DISMISSED)]


async def test_a_review_that_is_not_submitted_says_nothing(world: World) -> None:
    small = world.small
    reviews.create(small.hub, small.pull, actor=small.app.bot, body="Not yet")

    assert (await look(world)).reviews == ()


async def test_a_review_by_a_bot_is_a_bots(world: World) -> None:
    small = world.small
    bot = User(**small.hub.mint("BOT"), login="lint[bot]", created_at="", type="Bot")
    small.hub.users["lint[bot]"] = small.hub.register(bot)
    give(world, bot, "APPROVE")

    [review] = (await look(world)).reviews

    assert review.by == Actor("lint[bot]", is_bot=True)


async def test_deleted_accounts_keep_their_opinions_apart(world: World) -> None:
    small = world.small
    give(world, small.bob, "REQUEST_CHANGES")
    give(world, small.stranger, "APPROVE")
    del small.hub.users["bob"], small.hub.users["mallory"]

    assert states(await look(world)) == [
        ("ghost", ReviewState.CHANGES_REQUESTED),
        ("ghost", ReviewState.APPROVED),
    ]


async def test_an_opinion_is_found_behind_hundreds_of_comments(world: World) -> None:
    give(world, world.small.bob, "REQUEST_CHANGES")
    for _ in range(110):
        give(world, world.small.stranger, "COMMENT")
    give(world, world.small.bob, "COMMENT")

    with world.counter.counted() as calls:
        view = await look(world)

    assert states(view) == [
        ("bob", ReviewState.CHANGES_REQUESTED),
        ("mallory", ReviewState.COMMENTED),
    ]
    assert calls.points == 2


# --- Checks -----------------------------------------------------------------------


def run(world: World, name: str, conclusion: str | None = None, **more: Any) -> None:
    small = world.small
    asked = {"name": name, "head_sha": small.pull.head_sha, "conclusion": conclusion}
    app: App = more.pop("app", small.app)
    checks.create_run(
        small.hub, small.repository, app, {**asked, **more}, actor=app.bot
    )


def status(world: World, context: str, state: str, by: User, **more: Any) -> None:
    small = world.small
    asked = {"context": context, "state": state, **more}
    checks.set_status(small.hub, small.repository, small.pull.head_sha, asked, actor=by)


def of_another(world: World) -> App:
    app = world.small.app
    bot = User(**world.small.hub.mint("BOT"), login="ci[bot]", created_at="")
    bot.type = "Bot"
    world.small.hub.users["ci[bot]"] = bot
    other = replace(app, id=app.id + 1, node_id="A_ci", slug="ci", name="CI", bot=bot)
    bot.app = other
    return other


async def test_a_head_that_nothing_checks_has_no_checks(world: World) -> None:
    assert (await look(world)).checks == ()


async def test_a_check_run_of_another_app(world: World) -> None:
    output = {"title": "2 failed", "summary": "See below."}
    url = "https://ci.example/7"
    other = of_another(world)
    run(world, "build", "failure", app=other, output=output, details_url=url)

    assert (await look(world)).checks == (
        HeadCheck(
            name="build",
            app="ci",
            conclusion="failure",
            url=url,
            summary="2 failed\n\nSee below.",
            required=False,
            ours=False,
        ),
    )


async def test_our_own_check_is_told_apart(world: World) -> None:
    run(world, "vibeboard / gate", "action_required")
    run(world, "build", app=of_another(world))

    found = {one.name: one for one in (await look(world)).checks}

    assert (found["vibeboard / gate"].ours, found["build"].ours) == (True, False)
    assert found["vibeboard / gate"].conclusion == "action_required"


@pytest.mark.parametrize(
    ("state", "conclusion"),
    [
        ("success", "success"),
        ("failure", "failure"),
        ("error", "failure"),
        ("pending", None),
    ],
)
async def test_a_status_is_a_check_too(
    world: World, state: str, conclusion: str | None
) -> None:
    said = {"description": "It is so.", "target_url": "https://ci.example/8"}
    status(world, "ci/build", state, of_another(world).bot, **said)

    assert (await look(world)).checks == (
        HeadCheck(
            name="ci/build",
            app="ci",
            conclusion=conclusion,
            url="https://ci.example/8",
            summary="It is so.",
            required=False,
            ours=False,
        ),
    )


async def test_a_status_by_our_own_bot_is_ours(world: World) -> None:
    status(world, "ci/build", "success", world.small.app.bot)

    [found] = (await look(world)).checks

    assert (found.ours, found.app) == (True, "vibe")


async def test_a_check_that_goes_on_has_no_conclusion(world: World) -> None:
    run(world, "build", status="in_progress")

    assert [one.conclusion for one in (await look(world)).checks] == [None]


async def test_what_github_requires_is_marked(world: World) -> None:
    required = (RequiredCheck("build"), RequiredCheck("ci/build"))
    world.small.repository.protections["main"] = Protection(checks=required)
    run(world, "build", "success")
    run(world, "lint", "success")
    status(world, "ci/build", "success", world.small.bob)

    found = {one.name: one.required for one in (await look(world)).checks}

    assert found == {"build": True, "lint": False, "ci/build": True}


async def test_checks_of_an_older_head_are_not_told(world: World) -> None:
    run(world, "build", "success")
    world.small.pull.head_sha = commit(
        world.small.repository,
        world.small.clock,
        "Again",
        {"cart.py": "y\n"},
        world.small.pull.head_ref,
        world.small.pull.head_sha,
    )
    ref = f"refs/pull/{world.small.pull.number}/head"
    folder = world.small.repository.git_dir
    git.update_ref(folder, ref, world.small.pull.head_sha)

    assert (await look(world)).checks == ()


async def test_hundreds_of_checks_are_all_seen(world: World) -> None:
    for number in range(230):
        run(world, f"shard {number}", "success")
    give(world, world.small.bob, "APPROVE")

    view = await look(world)

    assert sorted(int(one.name.split()[1]) for one in view.checks) == list(range(230))
    assert states(view) == [("bob", ReviewState.APPROVED)]


async def test_checks_that_we_may_not_read_are_an_error(world: World) -> None:
    [installation] = world.small.hub.installations.values()
    installation.permissions.pop("statuses")
    run(world, "build", "success")
    status(world, "ci/build", "failure", world.small.bob)

    with pytest.raises(GitHubRefused, match="not accessible") as caught:
        await look(world)

    assert caught.value.status_code == 403


# --- Threads ----------------------------------------------------------------------


async def test_a_thread_is_told_from_its_beginning(world: World) -> None:
    small = world.small
    [first] = small.pull.review_comments
    small.clock.forward(minutes=1)
    ours = reviews.reply(small.hub, first, "Done.", actor=small.app.bot)
    asked = reviews.reply(small.hub, first, "Not quite.", actor=small.bob)
    line = {"path": "cart.py", "line": 2, "side": "RIGHT", "body": "And this?"}
    reviews.comment(small.hub, small.pull, line, actor=small.bob)

    found = await world.pulls.thread(CART, small.pull.number, asked.id)

    assert [one.id for one in found] == [first.id, ours.id, asked.id]
    assert [one.by for one in found] == [
        Actor("bob"),
        Actor("vibe[bot]", is_bot=True),
        Actor("bob"),
    ]
    assert [one.body for one in found] == ["Use `Decimal`?", "Done.", "Not quite."]
    assert (found[0].path, found[0].line) == ("cart.py", 5)
    assert found[0].hunk.startswith("@@ ")
    assert found[1].at == small.clock.now


async def test_a_thread_whose_beginning_was_deleted_is_the_rest(world: World) -> None:
    small = world.small
    [first] = small.pull.review_comments
    asked = reviews.reply(small.hub, first, "And here?", actor=small.bob)
    small.pull.review_comments.remove(first)

    found = await world.pulls.thread(CART, small.pull.number, asked.id)

    assert [one.id for one in found] == [asked.id]


async def test_a_comment_that_is_gone_has_no_thread(world: World) -> None:
    assert await world.pulls.thread(CART, world.small.pull.number, 999_999) == []


# --- Amending ---------------------------------------------------------------------


def thread(world: World) -> CardKey:
    return CardKey(CART, world.small.pull.number)


async def test_what_we_said_is_amended(world: World) -> None:
    said = await world.replies.ensure(thread(world), GATE, "Shut.")

    assert await world.replies.amend(thread(world), GATE, "Open.")

    [comment] = world.small.pull.comments
    assert (comment.id, comment.body) == (said, "Open.\n\n<!-- vibe:gate -->")


async def test_what_we_never_said_is_not_said_by_amending(world: World) -> None:
    small = world.small
    forged = "Shut.\n\n<!-- vibe:gate -->"
    comments.create(small.hub, small.pull, forged, actor=small.bob)

    assert not await world.replies.amend(thread(world), GATE, "Open.")

    assert [one.body for one in small.pull.comments] == [forged]


async def test_amending_to_the_same_writes_nothing(world: World) -> None:
    await world.replies.ensure(thread(world), GATE, "Shut.")

    with world.counter.counted() as calls:
        assert await world.replies.amend(thread(world), GATE, "Shut.")

    assert calls.requests == 1


async def test_a_comment_deleted_while_it_is_amended_is_gone(world: World) -> None:
    await world.replies.ensure(thread(world), GATE, "Shut.")
    world.small.clock.forward(minutes=5)
    unknown = {"kind": "status", "status": 404, "body": '{"message": "Not Found"}'}
    world.order(unknown, method="PATCH", path="/comments/")

    assert not await world.replies.amend(thread(world), GATE, "Open.")


# --- What no GitHub in order answers ----------------------------------------------


@pytest.fixture
async def script() -> AsyncIterator[Scripted]:
    async with scripted() as one:
        one.on("/app", answer({"id": 1, "slug": "vibe", "name": "Vibe"}))
        yield one


HEAD, OTHER = "a" * 40, "b" * 40


def node(**changes: Any) -> dict[str, Any]:
    page = {"hasPreviousPage": False, "startCursor": None}
    comparison = {"behindBy": 0, "headTarget": {"oid": HEAD}}
    return {
        "number": 2,
        "url": "https://github.com/acme/cart/pull/2",
        "title": "Fix",
        "body": "",
        "state": "OPEN",
        "isDraft": False,
        "isCrossRepository": False,
        "headRefName": "vibe/1-fix",
        "headRefOid": HEAD,
        "headRepositoryOwner": {"login": "acme"},
        "baseRefName": "main",
        "baseRef": {"compare": comparison},
        "author": None,
        "reviews": {"nodes": [], "pageInfo": page},
        "statusCheckRollup": None,
        **changes,
    }


def told(*errors: dict[str, Any], **changes: Any) -> Any:
    data = {"repository": {"pullRequest": node(**changes)}}
    return answer({"data": data, **({"errors": list(errors)} if errors else {})})


def rollup(*nodes: Any, oid: str = HEAD, **page: Any) -> dict[str, Any]:
    info = {"hasNextPage": False, "endCursor": "c", **page}
    return {"commit": {"oid": oid}, "contexts": {"nodes": nodes, "pageInfo": info}}


async def ask(script: Scripted) -> PullView:
    return await GitHubPorts(script.github).pulls.view(CART, 2)


async def test_an_author_whose_account_is_gone_is_a_ghost(script: Scripted) -> None:
    script.on("/graphql", told())

    assert (await ask(script)).author == Actor("ghost")


async def test_a_fork_that_was_deleted_has_no_owner(script: Scripted) -> None:
    script.on("/graphql", told(isCrossRepository=True, headRepositoryOwner=None))

    assert (await ask(script)).branch == ":vibe/1-fix"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"reviews": {"nodes": [None], "pageInfo": {"hasPreviousPage": False}}},
            id="a review",
        ),
        pytest.param({"reviews": None}, id="all reviews"),
        pytest.param({"statusCheckRollup": rollup(None)}, id="a check"),
        pytest.param({"baseRef": {"compare": None}}, id="the comparison"),
        pytest.param(
            {
                "reviews": {
                    "nodes": [{"state": "BLESSED", "submittedAt": None}],
                    "pageInfo": {"hasPreviousPage": False},
                }
            },
            id="a state that nobody knows",
        ),
    ],
)
async def test_what_is_missing_without_a_word_is_no_answer(
    script: Scripted, changes: dict[str, Any]
) -> None:
    script.on("/graphql", told(**changes))

    with pytest.raises(GitHubUnavailable):
        await ask(script)


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        pytest.param(
            {"type": "FORBIDDEN", "message": "Resource not accessible by integration"},
            403,
            id="a part that we may not see",
        ),
        pytest.param(
            {"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Too much"},
            400,
            id="a part that GitHub would not compute",
        ),
    ],
)
async def test_half_an_answer_is_none(
    script: Scripted, error: dict[str, Any], refused: int
) -> None:
    place = ["repository", "pullRequest", "statusCheckRollup"]
    script.on("/graphql", told({**error, "path": place}))

    with pytest.raises(GitHubRefused) as caught:
        await ask(script)

    assert caught.value.status_code == refused


async def test_checks_of_another_head_are_not_taken_for_this_ones(
    script: Scripted,
) -> None:
    script.on("/graphql", told(statusCheckRollup=rollup(oid=OTHER)))

    with pytest.raises(GitHubUnavailable, match="checks of another head"):
        await ask(script)


async def test_a_head_that_moves_between_two_pages_is_read_again_later(
    script: Scripted,
) -> None:
    more = rollup(hasNextPage=True)
    script.on("/graphql", told(statusCheckRollup=more), told(headRefOid=OTHER))

    with pytest.raises(GitHubUnavailable, match="a new head"):
        await ask(script)


async def test_a_run_whose_app_was_deleted_is_nobodys(script: Scripted) -> None:
    gone = {
        "__typename": "CheckRun",
        "name": "build",
        "status": "COMPLETED",
        "conclusion": "STALE",
        "url": "https://github.com/acme/cart/runs/1",
        "isRequired": True,
        "checkSuite": {"app": None},
    }
    script.on("/graphql", told(statusCheckRollup=rollup(gone)))

    [check] = (await ask(script)).checks

    assert (check.app, check.ours, check.conclusion) == ("", False, "stale")
    assert check.url == "https://github.com/acme/cart/runs/1"
