"""Case 20: what only looks like a command, a card or a right of ours is none."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localhub import git, reviews
from localhub.state import PullRequest, Repository, User
from tests.faults.asking import CARD, Asking, replies, started
from tests.github.on_localhub import on_localhub
from vibeboard.domain.board import CardKey
from vibeboard.domain.effects import MoveCard
from vibeboard.domain.prompt import parse_branch
from vibeboard.errors import VibeboardError
from vibeboard.github.translate import translate
from vibeboard.runner.git import Git
from vibeboard.runner.workspace import GitWorkspaces, Identity

WORD_JOINER, ZERO_WIDTH, OVERRIDE = "\u2060", "\u200b", "\u202e"


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    async with on_localhub(tmp_path) as world:
        yield Asking(world)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("```\n/agent develop\n```", id="a block of code"),
        pytest.param("~~~\n/agent develop\n~~~", id="a block of code in tildes"),
        pytest.param("    /agent develop", id="an indented block of code"),
        pytest.param("`/agent develop`", id="code"),
        pytest.param("``` /agent develop ```", id="code in three"),
        pytest.param("> /agent develop", id="a quote"),
        pytest.param(">/agent develop", id="a tight quote"),
        pytest.param("<!--\n/agent develop\n-->", id="hidden"),
        pytest.param("<!-- --> /agent develop", id="behind something hidden"),
        pytest.param("<!--\n-->/agent develop", id="right behind something hidden"),
        pytest.param("# /agent develop", id="a heading"),
        pytest.param("\\/agent develop", id="escaped"),
        pytest.param("&#47;agent develop", id="an entity"),
        pytest.param("- /agent develop", id="a list"),
        pytest.param("1. /agent develop", id="a numbered list"),
        pytest.param("| /agent develop |", id="a table"),
        pytest.param("[/agent develop](x)", id="a link"),
        pytest.param("<details>\n/agent develop\n</details>", id="a fold"),
        pytest.param("**/agent develop**", id="bold"),
        pytest.param("On Monday alice wrote:\n/agent develop", id="a mail"),
        pytest.param("Hello\r/agent develop", id="behind a carriage return"),
        pytest.param("Hello\u2028/agent develop", id="behind a line separator"),
        pytest.param("/\u0430gent develop", id="a Cyrillic a"),
        pytest.param("/ag\u0435nt develop", id="a Cyrillic e"),
        pytest.param("\uff0fagent develop", id="a wide slash"),
        pytest.param("\u2215agent develop", id="a division slash"),
        pytest.param("/\uff41gent develop", id="a wide a"),
        pytest.param(f"/{ZERO_WIDTH}agent develop", id="nothing in the word"),
        pytest.param(f"/agent{WORD_JOINER} develop", id="nothing behind the word"),
        pytest.param(f"{OVERRIDE}/agent develop", id="turned around"),
        pytest.param(f"{ZERO_WIDTH}/agent develop", id="nothing before it"),
        pytest.param("\ufeff/agent develop", id="a byte order mark"),
    ],
)
async def test_case_20_what_is_no_command_is_ignored(asking: Asking, body: str) -> None:
    """Even from an owner, and without an answer."""
    asking.comment(body, asking.world.small.alice)

    assert await asking.decided() == []


@pytest.mark.parametrize(
    "name", ["dev\u0435lop", f"dev{ZERO_WIDTH}elop", "\uff44evelop", "develop\u0301"]
)
async def test_case_20_a_stage_by_a_name_like_its_own_is_not_started(
    asking: Asking, name: str
) -> None:
    asking.comment(f"/agent {name}", asking.world.small.alice)

    effects = await asking.decided()

    assert started(effects) == []
    assert len(replies(effects)) == 1


async def test_case_20_of_fifty_commands_the_first_is_one(asking: Asking) -> None:
    asking.comment("/agent refine\n" * 50, asking.world.small.alice)

    effects = await asking.decided()

    (run,) = started(effects)
    assert run.stage == "refine"
    assert len(replies(effects)) <= 1


async def test_case_20_fifty_commands_of_a_stranger_get_one_answer(
    asking: Asking,
) -> None:
    asking.comment("/agent develop\n" * 50, asking.world.small.stranger)

    effects = await asking.decided()

    assert started(effects) == []
    assert len(replies(effects)) == 1


@pytest.mark.parametrize("letter", ["x", "\U0001f600", "`", "@a ", "\n/agent refine"])
async def test_case_20_as_much_as_a_comment_holds(asking: Asking, letter: str) -> None:
    body = ("/agent develop " + letter * 65_536)[:65_536]
    asking.comment(body, asking.world.small.alice)

    (run,) = started(await asking.decided())

    assert run.stage == "develop"


@pytest.mark.parametrize("command", ["zzz", "retry"])
async def test_case_20_what_is_repeated_of_a_long_command_is_short(
    asking: Asking, command: str
) -> None:
    body = f"/agent {command} {'@acme/all ' * 6000}"[:65_536]
    asking.comment(body, asking.world.small.alice)
    asking.comment(f"/agent {'z' * 65_000}", asking.world.small.alice)

    said = replies(await asking.decided())

    assert len(said) == 2
    assert max(map(len, said)) < 10_000
    assert not [each for each in said if "@acme/all" in each]


@pytest.mark.parametrize("before", [None, "Backlog"])
async def test_case_20_a_move_by_who_may_only_move_is_taken_back(
    asking: Asking, before: str | None
) -> None:
    """Who may change the board need not have any right on the repository."""
    asking.before = before
    asking.move("Backlog", asking.world.small.alice)
    asking.told.clear()
    asking.move("Develop", asking.world.small.stranger)

    effects = await asking.decided()

    assert started(effects) == []
    assert [e.column for e in effects if isinstance(e, MoveCard)] == ["Backlog"]
    assert "@mallory moved this card" in replies(effects)[0]


def fork_of(asking: Asking, owner: User, branch: str) -> PullRequest:
    """A pull request from a fork whose branch bears a name of ours."""
    small = asking.world.small
    pull = small.pull
    fork = Repository(
        **small.hub.mint("R"),
        owner=owner,
        name="cart",
        git_dir=small.repository.git_dir,
        created_at=small.hub.now(),
        updated_at=small.hub.now(),
        pushed_at=small.hub.now(),
    )
    small.hub.repositories[fork.full_name.lower()] = small.hub.register(fork)
    pull.head_repository = fork
    assert pull.head_ref == branch
    return pull


async def test_case_20_a_forks_branch_is_no_card_of_ours(asking: Asking) -> None:
    small = asking.world.small
    branch = "vibe/1-fix-the-rounding"
    assert parse_branch(branch) == 1
    pull = fork_of(asking, small.stranger, branch)

    read = await asking.world.pulls.read(CARD.repository, pull.number)
    found = await asking.world.pulls.of_branch(CARD.repository, branch)

    assert parse_branch(read.branch) is None
    assert found is None


async def test_case_20_a_review_on_a_fork_sends_nobody_to_work(
    asking: Asking,
) -> None:
    small = asking.world.small
    fork_of(asking, small.stranger, "vibe/1-fix-the-rounding")
    review = "pull_request_review"
    reviews.create(
        small.hub,
        small.pull,
        actor=small.alice,
        body="Do it again",
        event="REQUEST_CHANGES",
        comments=[],
    )
    body = json.dumps(asking.said(review)).encode()
    assert translate(review, body, guid="d") is None


async def test_case_20_a_repository_that_we_are_not_installed_on(
    asking: Asking, tmp_path: Path
) -> None:
    small = asking.world.small
    theirs = Repository(
        **small.hub.mint("R"),
        owner=small.stranger,
        name="cart",
        git_dir=tmp_path / "theirs.git",
        created_at=small.hub.now(),
        updated_at=small.hub.now(),
        pushed_at=small.hub.now(),
    )
    git.create(theirs.git_dir, "main")
    small.hub.repositories["mallory/cart"] = small.hub.register(theirs)
    ports = asking.world.ports

    with pytest.raises(VibeboardError):
        await ports.repositories.permission("mallory/cart", "mallory")
    with pytest.raises(VibeboardError):
        await ports.repositories.file("mallory/cart", ".vibe.yml")
    with pytest.raises(VibeboardError):
        await ports.repositories.remote("mallory/cart")
    with pytest.raises(VibeboardError):
        await ports.cards.read(CardKey("mallory/cart", 1))


async def test_case_20_a_token_of_ours_opens_one_repository(
    asking: Asking, tmp_path: Path
) -> None:
    """A run's token for one repository clones no other of the same owner."""
    small = asking.world.small
    secret = Repository(
        **small.hub.mint("R"),
        owner=small.acme,
        name="secret",
        git_dir=tmp_path / "secret.git",
        created_at=small.hub.now(),
        updated_at=small.hub.now(),
        pushed_at=small.hub.now(),
        private=True,
    )
    git.create(secret.git_dir, "main")
    small.hub.repositories["acme/secret"] = small.hub.register(secret)
    remote = await asking.world.repositories.remote(CARD.repository)
    url = remote.url.replace("acme/cart", "acme/secret")
    workspaces = GitWorkspaces(
        tmp_path / "runner",
        git=Git(home=tmp_path / "home", path=os.environ["PATH"]),
        identity=Identity("v", "v@example.org"),
    )

    with pytest.raises(VibeboardError, match="could not be cloned"):
        await workspaces.prepare(
            CardKey("acme/secret", 1),
            remote=type(remote)(url, remote.credential),
            branch="vibe/1",
            default_branch="main",
        )
