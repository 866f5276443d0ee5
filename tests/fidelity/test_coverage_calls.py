"""Drives the product through each of its calls, and GitHub through each webhook.

What comes of it is checked in `test_recorded_calls`, with all that other tests did.
"""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from localhub import (
    actions,
    apps,
    checks,
    comments,
    dispatches,
    git,
    issues,
    projects,
    pulls,
    queue,
    reviews,
)
from localhub.fleet import Orders
from localhub.render.actions import page
from localhub.state import Issue, Protection, PullRequest, RequiredCheck, Token
from tests.fidelity.expected import EVENTS
from tests.localhub.served import SECRET, World, key, serve
from vibeboard.clock import SystemClock
from vibeboard.domain.board import BoardKey, CardKey, Permission, Place
from vibeboard.domain.preview import Preview, PreviewState
from vibeboard.domain.redact import Redactor
from vibeboard.domain.run import Run, RunState
from vibeboard.domain.workflow import AGENT_FILE
from vibeboard.engine.ports import (
    Annotation,
    CheckRun,
    Conclusion,
    Marker,
    Sight,
    Whereabouts,
)
from vibeboard.errors import AppAbsent, UserError
from vibeboard.github.app import GitHubPorts
from vibeboard.github.client import GitHub
from vibeboard.github.deployments import Announcement
from vibeboard.github.fleet import GitHubFleet
from vibeboard.github.job import client_of_job
from vibeboard.github.manifest import exchange, manifest

CLOCK = "acme/clock"
CARD = CardKey(CLOCK, 1)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with serve(tmp_path) as served:
        told = {name.partition(".")[0] for name in EVENTS}
        served.app.events[:] = sorted(told - apps.LIFECYCLE)
        served.installation.events[:] = served.app.events
        yield served


@pytest.fixture
def ports(world: World) -> GitHubPorts:
    github = GitHub(
        world.hub.api_url,
        str(world.app.id),
        key()[0],
        world.session,
        clock=SystemClock(),
    )
    return GitHubPorts(github)


async def test_the_product_reads_and_moves_cards(ports: GitHubPorts) -> None:
    card = await ports.cards.read(CARD)
    assert card is not None
    place = Place(BoardKey("acme", 1), card.places[0].item, "Todo")

    await ports.cards.move(place, "Code", field="Status")
    await ports.cards.write_body(CARD, "As specified.")
    await ports.cards.comments(CARD)

    columns = await ports.cards.columns(place.board, field="Status")
    moved = await ports.cards.read(CARD)
    assert columns == ["Todo", "Code", "Done"]
    assert await ports.cards.at("acme", card.node_id) == CARD
    assert moved is not None
    assert (moved.body, moved.places[0].column) == ("As specified.", "Code")


async def test_the_product_shows_numbers_on_boards(
    world: World, ports: GitHubPorts
) -> None:
    card = await ports.cards.read(CARD)
    assert card is not None
    (project,) = world.hub.projects
    projects.add_field(world.hub, project, "Cost", "NUMBER")

    await ports.cards.show_number(card.places[0], 1.25, field="Cost")

    assert 1.25 in project.items[0].values.values()


async def test_the_product_speaks_on_issues(ports: GitHubPorts) -> None:
    marker = Marker("run=1")

    first = await ports.replies.ensure(CARD, marker, "Begins.")
    second = await ports.replies.ensure(CARD, marker, "Ends.", known=first)
    await ports.replies.react(CLOCK, first, "eyes", review=False)

    [said] = await ports.cards.comments(CARD)
    assert await ports.cards.comment(CLOCK, said.id) == said
    assert (first, said.body.splitlines()[0]) == (second, "Ends.")


async def test_the_product_opens_and_reads_pull_requests(
    world: World, ports: GitHubPorts
) -> None:
    await world.push("late")
    wanted = {"branch": "late", "base": "main", "title": "On time"}

    opened = await ports.pulls.ensure(CLOCK, **wanted, body="Closes #1")
    changed = await ports.pulls.ensure(CLOCK, **wanted, body="Closes #1.")
    await ports.pulls.files(CLOCK, opened.number)
    remark = reviews.comment(
        world.hub, _pull(world), {**LINE, "body": "Why?"}, actor=_bob(world)
    )
    await ports.replies.react(CLOCK, remark.id, "eyes", review=True)
    await ports.replies.answer_review(CLOCK, opened.number, remark.id, "Because.")

    assert await ports.pulls.read(CLOCK, opened.number) == changed
    assert await ports.pulls.of_branch(CLOCK, "late") == changed


async def test_the_product_sees_pull_requests_whole(
    world: World, ports: GitHubPorts
) -> None:
    head = (await world.pull("late"))["head"]["sha"]
    hub, pull = world.hub, _pull(world)
    remark = reviews.comment(hub, pull, {**LINE, "body": "Why?"}, actor=_bob(world))
    done = {"name": "unit", "head_sha": head, "conclusion": "success"}
    checks.create_run(hub, pull.repository, world.app, done, actor=world.app.bot)
    state = {"state": "pending", "context": "ci"}
    checks.set_status(hub, pull.repository, head, state, actor=_bob(world))
    thread = CardKey(CLOCK, pull.number)

    view = await ports.pulls.view(CLOCK, pull.number)
    said = await ports.pulls.thread(CLOCK, pull.number, remark.id)

    assert not await ports.replies.amend(thread, Marker("gate"), "Shut.")
    assert [one.conclusion for one in view.checks] == ["success", None]
    assert [one.by.login for one in view.reviews] == ["bob"]
    assert [one.body for one in said] == ["Why?"]


async def test_the_product_sees_what_is_deployed(
    world: World, ports: GitHubPorts
) -> None:
    head = (await world.pull("late"))["head"]["sha"]
    where = f"/repos/{CLOCK}/deployments"
    asked = {**DEPLOYMENT, "ref": head}
    deployment = (await world.call("POST", where, asked)).json["id"]
    pull = await ports.pulls.of_commit(CLOCK, head)
    begun = await ports.deployments.read(CLOCK, deployment)
    await world.call("POST", f"{where}/{deployment}/statuses", DEPLOYED)

    found = await ports.deployments.read(CLOCK, deployment)
    assert pull is not None
    await ports.pulls.write_body(CLOCK, pull.number, "Look.")

    url, ready = "https://pr-2.example", PreviewState.READY
    assert begun is None
    assert found == Preview(deployment, "preview/pr-2", head, ready, url)
    assert await ports.deployments.of_commit(CLOCK, head) == [found]
    assert await ports.deployments.read(CLOCK, deployment + 1) is None
    assert _pull(world).body == "Look."


async def test_the_product_tells_of_deployments(
    world: World, ports: GitHubPorts
) -> None:
    head = (await world.pull("late"))["head"]["sha"]
    world.installation.permissions["deployments"] = "write"
    ready = Announcement(
        "preview/pr-2", head, PreviewState.READY, "https://pr-2.example", "https://ci"
    )
    failed = replace(ready, state=PreviewState.FAILED)

    first = await ports.deployments.announce(CLOCK, ready)
    second = await ports.deployments.announce(CLOCK, failed)
    retired = await ports.deployments.retire(CLOCK, "preview/pr-2", but=second)

    states = [one.statuses[-1] for one in world.repository.deployments]
    assert retired == first
    assert [one.state for one in states] == ["inactive", "failure"]
    assert (states[1].environment_url, states[1].log_url) == ("", "https://ci")


async def test_the_product_reports_checks(world: World, ports: GitHubPorts) -> None:
    head = await world.push("late")
    remark = Annotation("src/clock.py", 3, "late", title="Late", column=1)
    check = CheckRun(
        "vibeboard / unit",
        head,
        "run=1",
        "2 failed",
        "| test |\n|---|",
        Conclusion.FAILURE,
        text="More",
        annotations=(remark,) * 51,
        details_url="https://vibeboard.example/runs/1",
    )

    run = await ports.checks.put(CLOCK, check)

    assert await ports.checks.put(CLOCK, check) == run
    found = checks.find_run(world.hub.repositories[CLOCK], run)
    assert found is not None
    assert len(found.annotations) == 51


async def test_the_product_looks_at_repositories_and_people(ports: GitHubPorts) -> None:
    readme = await ports.repositories.file(CLOCK, "README.md")
    remote = await ports.repositories.remote(CLOCK)
    bobs = await ports.repositories.permission(CLOCK, "bob")
    nobodys = await ports.repositories.permission(CLOCK, "nobody")

    assert remote.default_branch == "main"
    assert readme is not None
    assert readme.text == "# Clock\n"
    assert await remote.credential()
    assert (bobs, nobodys) == (Permission.WRITE, Permission.NONE)


AGENT = """\
on:
  workflow_dispatch:
    inputs: {run: {type: string}, server: {type: string}}
jobs:
  served: {runs-on: ubuntu-latest, steps: [{run: "true"}]}
"""


def put_file(world: World, path: str, text: str) -> None:
    """Alice pushes a file to the default branch."""
    directory = world.repository.git_dir
    parent = git.resolve(directory, "refs/heads/main")
    assert parent is not None
    blob = git.write_blob(directory, text.encode())
    tree = git.write_tree(directory, parent, {path: ("100644", blob)})
    alice = world.hub.user("alice")
    assert alice is not None
    who = pulls.signature(world.hub, alice)
    sha = git.write_commit(directory, tree, [parent], "Add it", who, who)
    git.update_ref(directory, "refs/heads/main", sha)


async def test_the_product_has_runs_carried_out(
    world: World, ports: GitHubPorts
) -> None:
    await world.running.fleet.order(Orders(absent=True))
    fleet = GitHubFleet(
        ports.github, server="https://vibe.example", clock=SystemClock()
    )
    at = SystemClock().now()
    run = Run("r1", CARD, "develop", "d1", "alice", RunState.QUEUED, at, at)
    agent = AGENT_FILE.rpartition("/")[2]

    with pytest.raises(UserError, match=agent):
        await fleet.post(run)
    put_file(world, AGENT_FILE, AGENT)
    posting = await fleet.post(run)
    waits = await fleet.look(CLOCK, posting)
    await fleet.cancel(CLOCK, posting)
    await fleet.cancel(CLOCK, posting)

    (started,) = world.repository.workflow_runs
    assert (posting.id, posting.url) == (started.id, page(world.hub, started))
    assert started.payload["inputs"] == {"run": "r1", "server": "https://vibe.example"}
    assert (waits.where, waits.attempt) == (Whereabouts.WAITS, 1)
    assert await fleet.look(CLOCK, posting) == Sight(
        Whereabouts.CANCELLED, 1, "cancelled", "vibe[bot]"
    )
    gone = await fleet.look(CLOCK, replace(posting, id=1))
    assert gone.where is Whereabouts.GONE


async def test_the_product_knows_its_installations(ports: GitHubPorts) -> None:
    identity = await ports.identity()
    [acme] = await ports.installations()

    with pytest.raises(AppAbsent):
        await ports.github.installation("bob")
    assert (identity.slug, acme.owner) == ("vibe", "acme")
    assert CLOCK in await ports.repositories.installed()


async def test_the_product_reads_a_persons_own_board(
    world: World, ports: GitHubPorts
) -> None:
    hub, bob = world.hub, _bob(world)
    own = projects.create(hub, bob, "Mine", actor=bob)
    projects.add(hub, own, _issue(world), actor=bob)
    hub.tokens["ghp_bobs"] = Token(value="ghp_bobs", user=bob)
    board = BoardKey("bob", own.number)

    await ports.take_token(lambda: "ghp_bobs")
    card = await ports.cards.read(CARD, board=board)

    assert card is not None
    assert card.place_on(board) is not None


async def test_a_job_learns_whose_token_it_was_given(world: World) -> None:
    of_app = apps.issue_token(world.hub, world.installation).value
    world.hub.tokens["ghp_bobs"] = Token(value="ghp_bobs", user=_bob(world))

    found = {
        token: await client_of_job(
            world.hub.api_url,
            token,
            world.session,
            clock=SystemClock(),
            repository=CLOCK,
            redactor=Redactor(),
            shows_boards=False,
        ).identity()
        for token in (of_app, "ghp_bobs")
    }

    assert (found[of_app].login, found[of_app].app_id) == ("vibe[bot]", world.app.id)
    assert (found["ghp_bobs"].login, found["ghp_bobs"].is_app) == ("bob", False)


async def test_the_product_reads_whole_boards(ports: GitHubPorts) -> None:
    cards = await ports.cards.on_board(BoardKey("acme", 1), field="Status")

    assert cards is not None
    assert CARD in {one.key for one in cards}


async def test_the_product_asks_for_missed_deliveries(
    world: World, ports: GitHubPorts
) -> None:
    issues.edit(world.hub, _issue(world), actor=_bob(world), title="Later")
    await world.inbox.until("issues.edited")
    since = SystemClock().now() - timedelta(hours=1)

    newest = await anext(ports.hook_deliveries.listed(since))
    await ports.hook_deliveries.redeliver(newest.id)

    again = await world.inbox.until(f"{newest.event}.{newest.action}", times=2)
    assert again.guid == newest.guid


async def test_the_product_becomes_an_app(world: World) -> None:
    asked = manifest(name="Board Helper", url="http://127.0.0.1:1")
    form = {"manifest": json.dumps(asked)}
    where = f"{world.hub.url}/organizations/acme/settings/apps/new?state=s"
    async with world.session.post(where, data=form, allow_redirects=False) as back:
        [code] = parse_qs(urlsplit(back.headers["Location"]).query)["code"]

    made = await exchange(
        code,
        api_url=world.hub.api_url,
        session=world.session,
        clock=SystemClock(),
    )

    assert made.slug == "board-helper"


# --- Webhooks -----------------------------------------------------------------------

LINE = {"path": "late.txt", "line": 1, "side": "RIGHT"}


def _bob(world: World) -> Any:
    return world.hub.users["bob"]


def _issue(world: World) -> Issue:
    return world.hub.repositories[CLOCK].issues[1]


def _pull(world: World) -> PullRequest:
    return world.hub.repositories[CLOCK].pulls[0]


def _issues_change(world: World) -> None:
    hub, bob, issue = world.hub, _bob(world), _issue(world)
    issues.create(hub, issue.repository, actor=bob, title="Another", body=None)
    issues.edit(hub, issue, actor=bob, title="Later", body="Than before")
    issues.set_labels(hub, issue, ["bug"], actor=bob)
    issues.set_labels(hub, issue, [], actor=bob)
    issues.set_assignees(hub, issue, ["bob"], actor=bob)
    issues.set_assignees(hub, issue, [], actor=bob)
    issues.close(hub, issue, actor=bob, reason="not_planned")
    issues.reopen(hub, issue, actor=bob)
    said = comments.create(hub, issue, "/agent status", actor=bob)
    comments.edit(hub, said, "/agent stop", actor=bob)
    comments.delete(hub, said, actor=bob)


def _pulls_change(world: World) -> None:
    hub, bob, pull = world.hub, _bob(world), _pull(world)
    issues.edit(hub, pull, actor=bob, body="Closes #1")
    issues.set_labels(hub, pull, ["bug"], actor=bob)
    issues.set_labels(hub, pull, [], actor=bob)
    issues.set_assignees(hub, pull, ["bob"], actor=bob)
    issues.close(hub, pull, actor=bob)
    issues.reopen(hub, pull, actor=bob)
    pulls.set_draft(hub, pull, draft=True, actor=bob)
    pulls.set_draft(hub, pull, draft=False, actor=bob)
    pulls.request_reviewers(hub, pull, ["carol"], actor=bob)
    pulls.remove_reviewers(hub, pull, ["carol"], actor=bob)


def _reviews_are_given(world: World) -> None:
    hub, pull = world.hub, _pull(world)
    alice = world.hub.users["alice"]
    review = reviews.create(
        hub,
        pull,
        actor=alice,
        body="Not yet.",
        event="REQUEST_CHANGES",
        comments=[{**LINE, "body": "Why?"}],
    )
    remark = pull.review_comments[-1]
    reviews.reply(hub, remark, "Because.", actor=_bob(world))
    reviews.edit_comment(hub, remark, "Why so?", actor=alice)
    reviews.delete_comment(hub, pull.review_comments[-1], actor=_bob(world))
    reviews.dismiss(hub, review, "It is fine", actor=alice)


def _checks_run(world: World) -> None:
    hub, bob, pull = world.hub, _bob(world), _pull(world)
    button = {"identifier": "fix", "label": "Fix", "description": "Let it be fixed"}
    asked = {
        "name": "unit",
        "head_sha": pull.head_sha,
        "status": "completed",
        "conclusion": "success",
        "output": {"title": "All", "summary": "Well"},
        "actions": [button],
    }
    run = checks.create_run(hub, pull.repository, world.app, asked, actor=world.app.bot)
    checks.rerequest(hub, run, actor=bob)
    checks.press(hub, run, "fix", actor=bob)
    checks.rerequest_suite(hub, run.suite, actor=bob)


def _merges_are_queued(world: World) -> None:
    hub, bob, repository = world.hub, _bob(world), world.hub.repositories[CLOCK]
    pull = repository.pulls[0]
    required = (RequiredCheck("ci"),)
    repository.protections["main"] = Protection(checks=required, queue=True)
    good = {"state": "success", "context": "ci"}
    checks.set_status(hub, repository, pull.head_sha, good, actor=bob)
    queue.enqueue(hub, pull, actor=bob)
    [entry] = repository.queue
    checks.set_status(hub, repository, entry.head_sha, good, actor=bob)
    assert pull.merged_at


def _boards_change(world: World) -> None:
    hub, alice = world.hub, world.hub.users["alice"]
    [board], [issue] = hub.projects, [_issue(world)]
    card = board.items[0]
    projects.move(hub, card, "Code", actor=alice)
    projects.archive(hub, card, actor=alice)
    projects.restore(hub, card, actor=alice)
    draft = projects.add_draft(hub, board, "Note", actor=alice)
    projects.reorder(hub, draft, None, actor=alice)
    other = issues.create(hub, issue.repository, actor=alice, title="Note")
    projects.convert(hub, draft, other, actor=alice)
    projects.move(hub, draft, "Done", actor=alice)
    projects.delete(hub, draft, actor=alice)
    projects.post_status(hub, board, actor=alice, body="Well", status="ON_TRACK")
    projects.edit(hub, board, actor=alice, title="The board")


def _the_app_comes_and_goes(world: World) -> None:
    hub, alice, one = world.hub, world.hub.users["alice"], world.installation
    secret = hub.repositories["acme/secret"]
    clock = hub.repositories[CLOCK]
    apps.choose_repositories(hub, one, [secret, clock], actor=alice)
    apps.choose_repositories(hub, one, [clock], actor=alice)
    apps.suspend(hub, one, actor=alice)
    apps.unsuspend(hub, one, actor=alice)
    apps.uninstall(hub, one, actor=alice)
    apps.install(hub, world.app, hub.users["acme"], actor=alice, selected=[clock])
    apps.register(
        hub,
        slug="second",
        owner=hub.users["acme"],
        public_key=key()[1],
        webhook_url=world.inbox.url,
        webhook_secret=SECRET,
    )


async def _code_is_pushed_and_deployed(world: World) -> None:
    await world.pull("late", body="For #1")
    await world.push("late", text="newer\n", message="Again")
    await world.push("gone")
    await world.git("-C", "clone", "push", "-q", "REMOTE", ":gone")
    where = f"/repos/{CLOCK}/deployments"
    deployment = (await world.call("POST", where, DEPLOYMENT)).json["id"]
    await world.call("POST", f"{where}/{deployment}/statuses", DEPLOYED)
    label = {"name": "agent", "color": "00ff00"}
    await world.call("POST", f"/repos/{CLOCK}/labels", label)


DEPLOYMENT = {
    "ref": "main",
    "environment": "preview/pr-2",
    "auto_merge": False,
    "required_contexts": [],
    "transient_environment": True,
}
DEPLOYED = {"state": "success", "environment_url": "https://pr-2.example"}


def _a_workflow_runs(world: World) -> None:
    put_file(world, AGENT_FILE, AGENT)
    alice = world.hub.user("alice")
    assert alice is not None
    name = AGENT_FILE.rpartition("/")[2]
    asked = {"ref": "main"}
    run = dispatches.dispatch(world.hub, world.repository, name, asked, actor=alice)
    (job,) = run.latest.jobs
    actions.begin_job(world.hub, job, "a runner")
    actions.end_job(world.hub, job, "success")


DEEDS: tuple[Callable[[World], None], ...] = (
    _issues_change,
    _boards_change,
    _pulls_change,
    _reviews_are_given,
    _checks_run,
    _merges_are_queued,
    _a_workflow_runs,
    _the_app_comes_and_goes,
)


async def test_github_tells_of_everything(world: World) -> None:
    await world.running.fleet.order(Orders(absent=True))
    await _code_is_pushed_and_deployed(world)
    for deed in DEEDS:
        deed(world)

    for event in sorted(EVENTS):
        await world.inbox.until(event)
