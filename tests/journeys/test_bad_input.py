"""Bad input from every side: each gets a visible reason, and nothing is lost.

Every world's server must be well at the end: a good card goes through, and the log
holds no traceback (the fixture looks).
"""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from localhub import comments, git, issues, projects, pulls, seed
from localhub.faults import FAULTS, Fault
from localhub.state import Comment, User
from localhub.webhooks import COURIER, Courier
from tests.journeys.world import AGENT, Card, World, config, processes_of
from tests.web.door import headers_of, sign

DEEP = 200_000


# --- What these tests do to GitHub ------------------------------------------------


def courier(world: World) -> Courier:
    return world.running.runner.app[COURIER]


def fault(world: World, do: dict[str, Any], **given: Any) -> None:
    """Order a fault; ``given`` says of which calls and how often."""
    times = given.pop("times", 1)
    asked = {"match": given, "times": times, "do": do}
    world.running.runner.app[FAULTS].ordered.append(Fault.model_validate(asked))


def faults_left(world: World) -> int:
    return len(world.running.runner.app[FAULTS].ordered)


LIGHT = config().partition("tests:\n  unit:")[0].replace("    tests: [unit]\n", "")


@pytest.fixture
async def world(still_world: World) -> World:
    """A world whose cards need no tests, which are not what is tried here."""
    still_world.commit_file(".vibe.yml", LIGHT)
    await still_world.serve()
    return still_world


def with_suites(commands: dict[str, str]) -> str:
    """A configuration whose develop stage runs these suites."""
    suites = "".join(
        f"  {name}: {{run: {json.dumps(command)}, report: out/{name}.xml}}\n"
        for name, command in commands.items()
    )
    named = f"    tests: [{', '.join(commands)}]\n    next: Review"
    return LIGHT.replace("    next: Review", named) + f"tests:\n{suites}"


def delete_issue(world: World, card: Card) -> None:
    """An owner deletes the issue: it is off the board, and told to Apps."""
    alice = world.user("alice")
    projects.delete(world.hub, card.item, actor=alice)
    del world.repository.issues[card.issue.number]
    del world.hub.nodes[card.issue.node_id]
    issues.tell(world.hub, card.issue, "deleted", alice)


# --- What these tests do to the server ----------------------------------------------


async def deliver(world: World, event: str, body: bytes, guid: str) -> int:
    """A delivery signed with the right secret, whatever is in it."""
    secret = (world.home / "secret").read_bytes().strip()
    headers = headers_of(body, guid=guid, event=event, signature=sign(body, secret))
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"http://127.0.0.1:{world.port}/webhook",
            data=body,
            headers=[(name, str(value)) for name, value in headers],
        ) as answer,
    ):
        return answer.status


@contextlib.contextmanager
def ledger(world: World) -> Iterator[sqlite3.Connection]:
    path = world.database_url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as it:
        yield it


def outcomes(world: World) -> dict[str, tuple[str, str]]:
    """What became of each delivery, and why."""
    with ledger(world) as connection:
        rows = connection.execute("SELECT guid, state, reason FROM delivery")
        return {guid: (state, reason) for guid, state, reason in rows}


def runs(world: World) -> int:
    with ledger(world) as connection:
        (found,) = connection.execute("SELECT count(*) FROM run").fetchone()
        return int(found)


async def all_is_well(world: World) -> None:
    """A good card goes through, and no delivery is left behind."""
    card = world.card("All is well", "write well.txt well")
    card.moved_to("Development")
    await card.reaches("Review")
    await world.settled()
    await world.until(
        lambda: all(state != "received" for state, _ in outcomes(world).values()),
        "every delivery to be decided",
    )


# --- Deliveries -----------------------------------------------------------------

PEOPLE = {"login": "alice", "type": "User"}
PLACE = {"full_name": "acme/clock", "owner": {"login": "acme"}}


def comment_on(repository: str, number: int, body: str = "/agent status") -> Any:
    owner = repository.partition("/")[0]
    return {
        "action": "created",
        "comment": {"id": 1, "body": body},
        "issue": {"number": number},
        "repository": {"full_name": repository, "owner": {"login": owner}},
        "sender": PEOPLE,
    }


def moved(owner: str, node: str) -> Any:
    return {
        "action": "edited",
        "projects_v2_item": {"content_node_id": node, "content_type": "Issue"},
        "organization": {"login": owner},
        "sender": PEOPLE,
    }


def review_of(branch: str) -> Any:
    return {
        "action": "submitted",
        "review": {"id": 7, "state": "commented", "body": "Do it again"},
        "pull_request": {
            "number": 1,
            "head": {"ref": branch, "sha": "0" * 40, "repo": PLACE},
            "base": {"ref": "main", "sha": "0" * 40},
        },
        "repository": PLACE,
        "sender": PEOPLE,
    }


def check_of(run: str, name: str = "vibeboard / develop", head: str = "0" * 40) -> Any:
    return {
        "action": "rerequested",
        "check_run": {"name": name, "head_sha": head, "external_id": run},
        "repository": PLACE,
        "sender": PEOPLE,
    }


def raw(payload: Any) -> bytes:
    return json.dumps(payload).encode()


UNREADABLE: dict[str, tuple[str, bytes]] = {
    "no repository": ("issue_comment", raw(comment_on("../../etc", 1))),
    "a repository called ..": ("issue_comment", raw(comment_on("acme/..", 1))),
    "a query in the name": ("issue_comment", raw(comment_on("acme/clock?x=1#", 1))),
    "a number too large": ("issue_comment", raw(comment_on("acme/clock", 2**31))),
    "no JSON": ("issues", b"payload=%7B%7D"),
    "nothing": ("issues", b""),
    "an array": ("issue_comment", b"[1]"),
    "arrays in arrays": ("push", b"[" * DEEP),
    "half a character": ("issues", rb'{"action": "\ud800"}'),
    "a huge number": (
        "issue_comment",
        raw(comment_on("acme/clock", 1)).replace(b": 1", b": " + b"1" * 5000),
    ),
    "a comment without its issue": ("issue_comment", b'{"action": "created"}'),
    "a card without its item": ("projects_v2_item", b'{"action": "edited"}'),
}
NOTHING: dict[str, tuple[str, Any]] = {
    "an unknown event": ("zebra", {"action": "created"}),
    "an unknown action": ("issue_comment", {"action": "sang"}),
    "a ping": ("ping", {"zen": "Keep it logically awesome."}),
    "nobody's repository": ("issue_comment", comment_on("nobody/nothing", 1)),
    "a repository we are not told of": ("issue_comment", comment_on("acme/none", 1)),
    "no such issue": ("issue_comment", comment_on("acme/clock", 99_999)),
    "the largest number": ("issue_comment", comment_on("acme/clock", 2**31 - 1)),
    "nobody's board": ("projects_v2_item", moved("nobody", "I_kwDOAA")),
    "an odd board": ("projects_v2_item", moved("a/b?c", "I_kwDOAA")),
    "no node": ("projects_v2_item", moved("acme", "\0")),
    "somebody else's node": ("projects_v2_item", moved("acme", "U_1")),
    "a branch without end": ("pull_request_review", review_of(f"vibe/{'9' * 60}-x")),
    "a branch of no card": ("pull_request_review", review_of("vibe/99999-x")),
    "an unknown run": ("check_run", check_of("r00000000000")),
    "a check of no commit": ("check_run", check_of("", "vibeboard / config", "x y")),
    "an issue of nowhere": (
        "issues",
        {
            "action": "closed",
            "issue": {"number": 2**31 - 1},
            "repository": PLACE,
            "sender": PEOPLE,
        },
    ),
    "an installation of nobody": (
        "installation",
        {"action": "created", "installation": {}, "sender": PEOPLE},
    ),
}


async def test_signed_nonsense_is_kept_told_apart_and_harms_nobody(
    world: World,
) -> None:
    for name, (event, body) in UNREADABLE.items():
        assert await deliver(world, event, body, name.replace(" ", "-")) == 202
    for name, (event, payload) in NOTHING.items():
        body = raw(payload)
        assert await deliver(world, event, body, name.replace(" ", "-")) == 202

    await all_is_well(world)

    told = outcomes(world)
    for name in UNREADABLE:
        state, reason = told[name.replace(" ", "-")]
        assert state == "unreadable", name
        assert reason, name
    for name in NOTHING:
        state, reason = told[name.replace(" ", "-")]
        assert state in ("settled", "failed", "parked"), (name, state)
        assert reason, name
    assert runs(world) == 1


async def test_deliveries_twice_and_in_any_order_start_one_run(world: World) -> None:
    courier(world).order(replace(courier(world).orders, duplicate=1000))
    card = world.card("Once", "write once.txt x")
    await world.settled()
    courier(world).order(replace(courier(world).orders, paused=True))
    card.moved_to("Development")
    card.moved_to("Backlog")
    card.moved_to("Development")
    card.said("/agent status")
    waiting = len(courier(world).waiting)
    assert waiting == 4

    courier(world).order(replace(courier(world).orders, paused=False, reorder=waiting))
    await card.reaches("Review")
    await world.settled()

    assert len(card.tracking()) == 1
    assert runs(world) == 1
    assert card.pull is not None
    assert sum("No agent has worked" in body for body in card.replies) <= 1


async def test_a_delivery_that_comes_late_is_acted_on_by_what_is_true_then(
    world: World,
) -> None:
    late = world.card("Late", "write late.txt x")
    gone = world.card("Gone", "write gone.txt x")
    await world.settled()
    await world.end()
    late.moved_to("Development")
    gone.moved_to("Development")
    gone.moved_to("Backlog")
    await world.until(lambda: courier(world).idle, "GitHub to give up")
    missed = [one for one in world.hub.deliveries if one.status_code == 502]
    assert len(missed) == 3

    await world.serve()
    for one in [*missed, *missed]:
        courier(world).redeliver(one)
    await late.reaches("Review")
    await world.settled()

    assert len(late.tracking()) == 1
    assert gone.replies == []


# --- Configuration ----------------------------------------------------------------

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


async def test_a_bad_configuration_is_told_with_its_place(world: World) -> None:
    bad = {
        "a bomb": (f"version: 1\n{BOMB}", ".vibe.yml:"),
        "wrong keys": ("version: 1\nboards: 1\nstages: []\n", ".vibe.yml:2:1"),
        "no YAML": ("version: 1\n\t- [}\n", ".vibe.yml:2:"),
        "nothing": ("", ".vibe.yml:1:1"),
        "a number": ("7\n", ".vibe.yml:1:1"),
        "arrays in arrays": ("[" * 5000, ".vibe.yml:"),
        "a tag": ("version: !!python/object/apply:os.system [id]\n", ".vibe.yml:1:"),
        "no text": ("version: \0\x01\n", ".vibe.yml"),
        "a megabyte": ("#" * 1_200_000, ".vibe.yml"),
    }
    for name, (text, place) in bad.items():
        world.commit_file(".vibe.yml", text)
        card = world.card(name, "write x.txt x")
        card.moved_to("Development")
        said = await card.replied("`.vibe.yml`")
        assert "Did nothing" in said, name
        assert place in said, name
        assert len(said) < 20_000, name
        assert card.tracking() == []

    world.commit_file(".vibe.yml", LIGHT)
    await all_is_well(world)


async def test_a_name_that_is_not_there_is_told_with_those_that_are(
    world: World,
) -> None:
    text = LIGHT.replace("next: Review", "next: Shipped")
    text = text.replace("otherwise: Attention", "otherwise: Ashore")
    world.commit_file(".vibe.yml", text)
    good, bad = world.card("Good", "write x.txt x"), world.card("Bad", "exit 1")

    good.moved_to("Development")
    bad.moved_to("Development")

    for card, column in ((good, "Shipped"), (bad, "Ashore")):
        said = await card.replied(f"no column “{column}”")
        for name in ("Backlog", "Refinement", "Development", "Review", "Done"):
            assert f"“{name}”" in said
        assert card.column == "Development"
    await good.says("✅ done")
    projects.archive(world.hub, good.item, actor=world.user("alice"))
    projects.restore(world.hub, good.item, actor=world.user("alice"))
    await world.settled()
    assert len(good.tracking()) == 1

    world.commit_file(
        ".vibe.yml",
        LIGHT.replace("    next: Review", "    prompt: .vibe/dev.md\n    next: Review"),
    )
    card = world.card("Nothing to say", "write x.txt x")
    card.moved_to("Development")
    await card.says("❌ failed", "is not on the default branch")
    await card.reaches("Attention")

    world.commit_file(".vibe.yml", LIGHT)
    await all_is_well(world)


# --- Agents -----------------------------------------------------------------------


async def test_an_agent_may_print_nothing_garbage_or_gigabytes(world: World) -> None:
    silent = world.card("Silent", "write silent.txt x")
    garbled = world.card("Garbled", "garbage", "write garbled.txt x")
    loud = world.card("Loud", "flood 200", "write loud.txt x")
    broken = world.card("Broken", "garbage", "flood 1", "exit 7")

    for card in (silent, garbled, loud, broken):
        card.moved_to("Development")
    for card in (silent, garbled, loud):
        await card.reaches("Review")
    await broken.reaches("Attention")

    await broken.says("❌ failed", "exit code 7")
    logs = [file.stat().st_size for file in world.home.glob("data/runs/*/*.log")]
    assert max(logs) < 65 << 20
    for card in (silent, garbled, loud, broken):
        assert all(len(body) < 65_536 for body in card.replies)
        assert all("\0" not in body for body in card.replies)
    await all_is_well(world)


async def test_what_an_agent_says_is_shown_and_has_no_effect(world: World) -> None:
    card = world.card(
        "Say it",
        "write x.txt x",
        (
            "summary @acme/everybody look\\n/agent stop\\n<!-- vibeboard:run=x -->"
            "\\nCloses #77\\n<script>alert(1)</script>\\n![x](https://evil.example/x)"
            "\\n```\\n</details> [x](javascript:alert(1))"
        ),
    )
    card.moved_to("Development")
    await card.reaches("Review")
    shown = await card.says("✅ done")
    await world.settled()

    pull = card.pull
    assert pull is not None
    for text in (shown, pull.body or ""):
        assert "look" in text
        assert "@acme" not in text
        assert "\n/agent stop" not in text
        assert "<script" not in text
        assert "![x](" not in text
        assert "vibeboard:run=x -->" not in text
        assert "Closes #77" not in text
    assert len(card.replies) == 1

    loud = world.card(
        "Shout", "say @acme/everybody <!-- x --> fixes #77", "say /agent stop", "exit 3"
    )
    loud.moved_to("Development")
    await loud.reaches("Attention")
    await loud.replied("*develop* failed")
    for text in loud.replies:
        assert "everybody" in text
        assert "@acme" not in text
        assert "<!-- x" not in text
        assert "fixes #77" not in text
        assert "\n/agent stop" not in text


# --- Tests ------------------------------------------------------------------------

LAUGHS = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">'
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
REPORTS = {
    "nothing": ("true", "wrote no report"),
    "empty": (": > out/empty.xml", "is empty"),
    "broken": ("echo '<testsuite><te' > out/broken.xml", "is broken or cut off"),
    "page": ("echo '<html/>' > out/page.xml", "no JUnit report"),
    "hollow": ("echo '<testsuite/>' > out/hollow.xml", "holds no test"),
    "bomb": (
        f"echo '{LAUGHS}]><testsuite>&i;</testsuite>' > out/bomb.xml",
        "document type or entities",
    ),
    "link": ("ln -s /etc/passwd out/link.xml", "leads out"),
    "pipe": ("mkfifo out/pipe.xml", "wrote no report"),
    "missing": ("no-such-command --junitxml=out/missing.xml", "was not found"),
    "liar": (
        "echo '<testsuite><testcase name=\"x\"/></testsuite>' > out/liar.xml; exit 3",
        "exit code 3 although its report shows no failure",
    ),
}


async def test_tests_that_prove_nothing_are_never_green(world: World) -> None:
    commands = {name: f"mkdir -p out; {run}" for name, (run, _) in REPORTS.items()}
    world.commit_file(".vibe.yml", with_suites(commands))
    card = world.card("Prove it", "write x.txt x")

    card.moved_to("Development")
    await card.reaches("Attention")

    shown = await card.says("❌ failed")
    for name, (_, reason) in REPORTS.items():
        assert f"| {name} | ⚠️ inconclusive | " in shown, name
        (told,) = [li for li in shown.splitlines() if li.startswith(f"**{name}**: ")]
        assert reason in told.replace("\\", ""), name
    assert "root:" not in shown
    (check,) = world.checks("vibeboard / develop")
    assert check.conclusion == "failure"
    world.commit_file(".vibe.yml", LIGHT)
    await all_is_well(world)


# --- Repositories -----------------------------------------------------------------


async def test_what_cannot_be_checked_out_whole_is_noted(world: World) -> None:
    directory = world.repository.git_dir
    parent = git.resolve(directory, "refs/heads/main")
    assert parent is not None

    def blob(text: str) -> str:
        return git.write_blob(directory, text.encode())

    tree = git.write_tree(
        directory,
        parent,
        {
            ".gitattributes": ("100644", blob("*.bin filter=lfs diff=lfs merge=lfs\n")),
            "big.bin": (
                "100644",
                blob(
                    "version https://git-lfs.github.com/spec/v1\noid sha256:"
                    f"{'0' * 64}\nsize 9\n"
                ),
            ),
            ".gitmodules": (
                "100644",
                blob('[submodule "lib"]\n\tpath = lib\n\turl = -oProxyCommand=x\n'),
            ),
            "lib": ("160000", "1" * 40),
            "passwords": ("120000", blob("/etc/passwd")),
        },
    )
    who = pulls.signature(world.hub, world.user("alice"))
    sha = git.write_commit(directory, tree, [parent], "Add odd things", who, who)
    git.update_ref(directory, "refs/heads/main", sha)
    card = world.card("Odd", "write x.txt x")

    card.moved_to("Development")
    await card.reaches("Review")

    pull = card.pull
    assert pull is not None
    for told in ("Git LFS", "Submodules are not fetched: `lib`", "passwords"):
        assert told in (pull.body or "")
    assert {"big.bin", "lib", "passwords", "x.txt"} < world.files(pull.head_sha)
    await all_is_well(world)


async def test_an_empty_or_a_foreign_repository_is_told_of_only_if_asked(
    world: World,
) -> None:
    people = {"alice": "admin", "bob": "write"}
    seed.apply(
        world.hub,
        {
            "repositories": [
                {"name": "acme/empty", "collaborators": people},
                {
                    "name": "acme/plain",
                    "collaborators": people,
                    "files": {"README.md": "# plain\n"},
                },
            ]
        },
        world.home,
    )
    alice = world.user("alice")
    for name in ("acme/empty", "acme/plain"):
        repository = world.hub.repository(name)
        assert repository is not None
        issue = issues.create(
            world.hub, repository, actor=alice, title="A card", body="do: write x x"
        )
        item = projects.add(world.hub, world.hub.projects[0], issue, actor=alice)
        card = Card(world, issue, item)
        card.moved_to("Development")
        await world.settled()
        assert card.replies == []
        assert card.column == "Development"

        card.said("/agent develop")
        await card.replied("no `.vibe.yml`")
    await all_is_well(world)


async def test_a_refused_push_is_told_and_the_work_is_kept(world: World) -> None:
    git.protect(world.repository.git_dir, "refs/heads/vibe/*")
    card = world.card("Refused", "write x.txt x")

    card.moved_to("Development")
    await card.reaches("Attention")

    await card.says("❌ failed", "the branch is protected")
    assert card.pull is None
    (kept,) = world.home.glob(f"data/workspaces/cards/**/{card.issue.number}/host.git")
    assert "x.txt" in {
        entry.path for entry in git.tree(kept, f"vibe/{card.issue.number}-refused")
    }
    (world.repository.git_dir / "protected").unlink()
    card.said("/agent retry")
    await card.reaches("Review")
    await all_is_well(world)


# --- GitHub's bad days --------------------------------------------------------------


async def test_a_failing_github_delays_and_neither_doubles_nor_loses(
    world: World,
) -> None:
    await world.settled()
    asked = world.card("Who may?", "write x.txt x")
    await world.settled()
    permission = "collaborators/alice/permission"
    fault(world, {"kind": "status", "status": 500}, path=permission, times=5)
    asked.moved_to("Development")
    await world.until(lambda: not faults_left(world), "GitHub to be asked again")
    assert asked.replies == []
    await asked.reaches("Review")
    assert len(asked.tracking()) == 1

    twice = world.card("Say it once", "write y.txt y")
    await world.settled()
    made = {"method": "POST", "path": r"issues/\d+/comments$"}
    fault(world, {"kind": "fail_after_effect", "status": 502}, **made)
    twice.moved_to("Development")
    await twice.reaches("Review")
    assert len(twice.tracking()) == 1

    limited = world.card("Not so fast", "write z.txt z")
    await world.settled()
    fault(
        world,
        {
            "kind": "status",
            "status": 403,
            "headers": {"Retry-After": "1"},
            "body": '{"message": "You have exceeded a secondary rate limit"}',
        },
        times=2,
        **made,
    )
    limited.moved_to("Development")
    await limited.reaches("Review")
    assert len(limited.tracking()) == 1

    odd = world.card("Pages of a proxy", "write w.txt w")
    await world.settled()
    for path in ("graphql", permission, "pulls$", "check-runs"):
        fault(
            world,
            {
                "kind": "status",
                "status": 200,
                "body": "<html>",
                "headers": {"Content-Type": "text/html"},
            },
            path=path,
        )
    odd.moved_to("Development")
    await odd.reaches("Review")
    assert odd.pull is not None
    await odd.says("✅ done")
    assert len(world.checks("vibeboard / develop")) == 4


# --- Words ------------------------------------------------------------------------

TITLES = (
    "$(touch canary)",
    "`touch canary`; touch canary",
    "a\nb\r\nc",
    "--upload-pack=touch canary",
    "x" * 250,
    "\N{CLOCK FACE ONE OCLOCK}\N{CLOCK FACE TWO OCLOCK}",
    "../../../../canary",
    "${{ github.token }} %0a::add-mask::x",
    "@acme/everybody #1 <script> fixes #1 | `x` [skip ci]",
)


async def test_a_title_is_only_a_title(world: World) -> None:
    cards = [world.card(title, f"write {n}.txt x") for n, title in enumerate(TITLES)]
    for card in cards:
        card.moved_to("Development")

    for card in cards:
        await card.reaches("Review")
        assert card.pull is not None
        branch = card.pull.head_ref
        assert branch.isascii()
        assert git.valid_ref(world.repository.git_dir, f"refs/heads/{branch}")
        (commit,) = git.log(world.repository.git_dir, f"main..{branch}")
        subject = commit.message.splitlines()[0]
        assert 0 < len(subject) <= 80
        assert "[skip ci]" not in commit.message
        assert "fixes #1" not in commit.message + card.pull.title
    assert not list(world.home.rglob("canary*"))
    assert not list(AGENT.parents[2].glob("canary*"))


async def test_only_a_command_on_the_first_line_of_a_new_comment_counts(
    world: World,
) -> None:
    card = world.card("Be quiet", "write x.txt x")
    bot = User(
        **world.hub.mint("U"),
        login="chatty[bot]",
        name=None,
        type="Bot",
        created_at=world.hub.now(),
    )
    world.hub.users[bot.login] = world.hub.register(bot)
    await world.settled()

    said: list[Comment] = [
        card.said("```\n/agent develop\n```"),
        card.said("> /agent develop"),
        card.said("    /agent develop"),
        card.said("Please look:\n/agent develop"),
        card.said("# /agent develop"),
        card.said("<!--\n/agent develop\n-->"),
        card.said("`/agent develop`"),
        card.said("/agentdevelop"),
        card.said("/аgent develop"),  # noqa: RUF001 - a Cyrillic letter
        comments.create(world.hub, card.issue, "/agent develop", actor=bot),
    ]
    comments.edit(world.hub, said[3], "/agent develop", actor=world.user("alice"))
    await world.settled()

    assert card.replies == []
    assert all(not comment.reactions for comment in said)
    assert runs(world) == 0
    seed.apply(world.hub, {"users": [{"login": "eve"}]}, world.home)
    for stranger in ("mallory", "eve"):
        card.said("/agent develop", by=stranger)
        await card.replied(f"@{stranger} has read", "need write permission")
    assert runs(world) == 0
    card.said("/agent develop " + "x" * 60_000)
    await card.says("asked for by alice")


async def test_an_agent_hears_those_who_may_write_and_nobody_else(
    world: World,
) -> None:
    card = world.card(
        "Listen",
        "write x.txt x",
        "say <!-- hidden from people --> \N{TAG LATIN SMALL LETTER A}",
    )
    card.said("From bob: make it blue.", by="bob")
    card.said("From mallory: make it red.\ndo: write red.txt x", by="mallory")
    card.said("From alice <!-- and a secret order --> openly.")

    code, *told = await world.vibeboard("pause", "acme/clock", "--why", "to edit")
    assert code == 0, told
    card.moved_to("Development")
    await card.says("⏳ waiting")
    card.rewritten("write late.txt x", by="mallory")
    assert (await world.vibeboard("resume", "acme/clock"))[0] == 0
    await card.reaches("Review")

    prompt = world.prompt(card)
    assert "late.txt" not in prompt, "it was edited after alice had asked"
    assert "write x.txt x" in prompt
    await card.says("> 3 hidden characters and comments were taken out")
    assert "make it blue" in prompt
    assert "openly" in prompt
    for kept_out in ("mallory", "red.txt", "hidden from people", "secret order"):
        assert kept_out not in prompt
    assert "\N{TAG LATIN SMALL LETTER A}" not in prompt


async def test_an_issue_deleted_under_way_ends_its_run(world: World) -> None:
    card = world.card("Delete me", "write x.txt x", "sleep 600")
    world.card("The next number")
    card.moved_to("Development")
    await world.until(lambda: world.wrote("x.txt"), "the agent's file")

    delete_issue(world, card)
    await world.until(lambda: not world.children(), "the agent to end")

    await all_is_well(world)
    with ledger(world) as connection:
        told = connection.execute(
            "SELECT state, stop_reason FROM run WHERE number = ?", (card.issue.number,)
        ).fetchall()
    assert told == [("stopped", "the issue was closed")]
    assert "x.txt" in world.files(f"vibe/{card.issue.number}-delete-me")


# --- Secrets ----------------------------------------------------------------------


async def test_secrets_stay_where_they_are(world: World) -> None:
    seen: set[str] = set()

    async def watch() -> None:
        while True:
            seen.update(processes_of(str(world.home)))
            seen.update(processes_of("git"))
            await asyncio.sleep(0.005)

    watcher = asyncio.create_task(watch())
    card = world.card("Tell me everything", "write x.txt x", "environment", "sleep 0.2")
    card.moved_to("Development")
    await card.reaches("Review")
    shown = await card.says("✅ done")
    watcher.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watcher

    key = (world.home / "app.pem").read_text().splitlines()[1]
    secret = (world.home / "secret").read_text().strip()
    tokens = [
        value for value in world.hub.tokens if value not in ("alice-token", "bob-token")
    ]
    secrets = [key, secret, *tokens]
    assert len(secrets) > 3
    told = {
        "the comment": shown,
        "the pull request": (card.pull.body or "") if card.pull else "",
        "the prompt": world.prompt(card),
        "the log": "\n".join(world.log),
        "the process list": "\n".join(seen),
    }
    for file in world.home.joinpath("data").rglob("*"):
        if file.is_file() and not file.is_symlink():
            told[str(file)] = file.read_bytes().decode("latin-1")
    for file in world.home.glob("vibeboard.db*"):
        told[str(file)] = file.read_bytes().decode("latin-1")
    for where, text in told.items():
        assert not [each for each in secrets if each in text], where
        assert "VIBEBOARD_" not in text or where.endswith(".db"), where
    assert "PATH=" in shown


@pytest.mark.parametrize("command", ["sleep 600"])
async def test_a_server_that_is_told_to_leave_leaves_nobody_behind(
    world: World, command: str
) -> None:
    card = world.card("Stay", "write x.txt x", command, "daemon 611")
    card.moved_to("Development")
    await world.until(lambda: bool(world.agents()), "the agent")

    assert await world.end() == 0

    assert not world.children()
