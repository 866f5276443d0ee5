"""A card reaches Done when what its gate asks for is there, and not before."""

from dataclasses import replace
from pathlib import Path

import pytest

from localhub import checks, projects, pulls, pushes, queue, reviews
from localhub.errors import Refused
from localhub.state import CheckRun, Protection, RequiredCheck
from tests.journeys.world import Card, World, config

DONE = """\
  done:
    column: Done
    gate: {gate}
tests:
"""


def gated(gate: str) -> str:
    return config().replace("tests:\n  unit", DONE.format(gate=gate) + "  unit")


async def developed(world: World, gate: str, *orders: str) -> Card:
    """A card in Review whose agent has done what it was told."""
    world.commit_file(".vibe.yml", gated(gate))
    card = world.card("Add a tock", *(orders or ("write tock.txt tock",)))
    card.moved_to("Development")
    await card.reaches("Review")
    await world.until(lambda: bool(gate_checks(world)), "the gate's check")
    return card


def gate_checks(world: World) -> list[CheckRun]:
    return world.checks("vibeboard / done")


def conclusion(world: World, head: str) -> str | None:
    """What the gate's check says on a commit."""
    found = [one for one in gate_checks(world) if one.suite.head_sha == head]
    return found[-1].conclusion if found else None


async def test_a_card_with_green_tests_stays_in_done(world: World) -> None:
    card = await developed(world, "{tests: [unit]}")
    assert card.pull is not None

    card.moved_to("Done")
    await world.settled()

    assert card.column == "Done"
    assert conclusion(world, card.pull.head_sha) == "success"
    (suite,) = world.checks("vibeboard / unit")
    assert (suite.conclusion, suite.title) == ("success", "1 test passed")


async def test_a_card_with_red_tests_is_put_back_with_what_is_missing(
    world: World,
) -> None:
    world.commit_file(".vibe.yml", gated("{tests: [unit]}"))
    card = world.card("Break it", "write clock.py def tick():\\n    return 3")
    card.moved_to("Development")
    await card.reaches("Attention")

    card.moved_to("Done", by="bob")
    said = await card.replied("@bob moved this card to *Done*")

    assert "put back into *Attention*" in said
    assert "| ❌ | suite `unit` | 1 of 1 tests of `unit` failed" in said
    await card.reaches("Attention")
    assert card.pull is not None
    assert conclusion(world, card.pull.head_sha) == "failure"


async def test_a_head_that_nobody_tested_shuts_the_gate_until_it_is(
    world: World,
) -> None:
    card = await developed(world, "{tests: [unit]}")
    assert card.pull is not None
    gate = world.home / "gate"
    slow = gated("{tests: [unit]}").replace(
        'run: "', f'run: "while [ ! -e {gate} ]; do sleep 0.02; done; '
    )
    world.commit_file(".vibe.yml", slow)
    head = pushed(world, card, "more.txt")
    await card.says("🏃 running", "tests only", stage="verify")

    card.moved_to("Done")
    said = await card.replied("@alice moved this card to *Done*", "suite `unit`")
    assert "runs on" in said
    await card.reaches("Review")
    gate.touch()

    await card.replied("Everything that *Done* asks for is there now")
    assert conclusion(world, head) == "success"
    card.moved_to("Done")
    await world.settled()
    assert card.column == "Done"


def pushed(world: World, card: Card, path: str) -> str:
    """Bob pushes a commit to the card's branch."""
    assert card.pull is not None
    before = pushes.snapshot(world.repository)
    head = world.commit_file(path, "more\n", card.pull.head_ref)
    pushes.compare(world.hub, world.repository, before, actor=world.user("bob"))
    return head


async def test_approvals_count_on_this_head_and_not_by_who_asked(world: World) -> None:
    card = await developed(world, "{approvals: 1}")
    pull = card.pull
    assert pull is not None

    reviews.create(world.hub, pull, actor=world.user("alice"), body="", event="APPROVE")
    card.moved_to("Done", by="bob")
    said = await card.replied("approvals", "0 of 1")
    assert "alice asked for the work, and does not count" in said
    await card.reaches("Review")

    reviews.create(world.hub, pull, actor=world.user("bob"), body="", event="APPROVE")
    await card.replied("Everything that *Done* asks for is there now", "1 of 1 (bob)")
    card.moved_to("Done", by="bob")
    await world.settled()
    assert card.column == "Done"


async def test_a_commit_is_approved_by_a_comment(world: World) -> None:
    card = await developed(world, "{approvals: 1}")
    assert card.pull is not None
    card.moved_to("Done")
    await card.replied("approvals", "0 of 1")
    await card.reaches("Review")

    card.said("/agent approve 0123456789", by="bob")
    await card.replied("is not the newest commit")
    card.said(f"/agent approve {card.pull.head_sha[:8]} Looked at it.", by="bob")

    await card.replied("Everything that *Done* asks for is there now", "1 of 1 (bob)")


async def test_without_a_pull_request_nothing_is_done(world: World) -> None:
    world.commit_file(".vibe.yml", gated("{tests: [unit]}"))
    card = world.card("Only talk")
    await world.settled()

    card.moved_to("Done")
    await card.replied("| ❌ | pull request | there is none |")

    await card.reaches("Backlog")


async def test_what_is_wanted_merged_must_be_merged(world: World) -> None:
    card = await developed(world, "{merged: true}")
    pull = card.pull
    assert pull is not None
    card.moved_to("Done")
    await card.replied("| ❌ | merged | #", "is open")
    await card.reaches("Review")

    pulls.set_draft(world.hub, pull, draft=False, actor=world.user("alice"))
    pulls.merge(world.hub, pull, actor=world.user("alice"))

    await card.replied("Everything that *Done* asks for is there now", "is merged")


async def test_an_agent_that_deletes_a_failing_test_is_told_of(world: World) -> None:
    card = await developed(
        world,
        "{tests: [unit]}",
        "remove test_clock.py",
        "write test_other.py def test_other():\\n    assert True",
    )

    assert card.pull is not None
    assert "**The tests themselves were changed:**" in (card.pull.body or "")
    assert "test\\_tick in test\\_clock.py removed" in (card.pull.body or "")
    assert "🗑️ removed: 1 test" in (card.pull.body or "")


async def test_a_rejection_sends_the_agent_back_to_the_branch(world: World) -> None:
    card = await developed(world, "{approvals: 1}")
    pull = card.pull
    assert pull is not None
    first = pull.head_sha

    card.said("/agent reject do: write more.txt more", by="bob")
    await world.until(lambda: pull.head_sha != first, "a second commit")

    assert card.pull is pull
    assert "Somebody rejected the work" in world.prompt(card)
    assert "more.txt" in world.files(pull.head_sha)
    # Who sent it back did not ask for it: their approval is the one that counts.
    reviews.create(world.hub, pull, actor=world.user("bob"), body="", event="APPROVE")
    await world.until(
        lambda: conclusion(world, pull.head_sha) == "success", "an open gate"
    )


async def test_the_base_is_tested_once(world: World) -> None:
    world.commit_file("test_old.py", "def test_old():\n    assert False\n")
    card = world.card("Add a tock", "write test_new.py def test_new():\\n    assert 0")
    card.moved_to("Development")
    await card.reaches("Attention")

    shown = await card.says("❌ failed", "newly failing: 1 test")
    assert "test\\_new" in shown
    assert "failing as at the base: 1 test" in shown
    (first,) = logs(world, "base-unit")

    card.said("/agent retry")
    await world.until(lambda: len(logs(world, "tests-unit")) == 2, "a second go")
    await world.settled()
    assert logs(world, "base-unit") == [first]


def logs(world: World, name: str) -> list[Path]:
    return sorted(world.home.glob(f"data/runs/*/{name}-*.log"))


SPEC = "Words.\n\nAC1. It tocks.\n\nAC2. It rings.\n\nAC3. It chimes.\n"
CLAIMS = """{"criteria": {"AC1": {"tests": ["test_tock"]}, \
"AC3": {"tests": ["test_chimes"]}}}"""
CHIMES = "def test_chimes():\n    assert open('chime.txt')\n"


async def test_each_criterion_is_proved_or_accepted(world: World) -> None:
    world.commit_file(".vibe.yml", gated("{criteria: true, tests: [unit]}"))
    world.commit_file("test_chimes.py", CHIMES)
    card = world.card("Add a tock")
    orders = (
        "do: write chime.txt dong",
        "do: write test_tock.py def test_tock():\\n    assert True",
        f"do: claims {CLAIMS}",
    )
    card.rewritten("\n".join((SPEC, *orders)))
    card.moved_to("Development")
    await card.reaches("Review")
    table = (
        "| 🔴→🟢 | AC1. It tocks. | test\\_tock::test\\_tock (new) |\n"
        "| ❌ | AC2. It rings. | is tied to no test |\n"
        "| 🔴→🟢 | AC3. It chimes. | test\\_chimes::test\\_chimes "
        "(failed at the base) |"
    )
    await card.says(table)
    assert card.pull is not None
    assert table in (card.pull.body or "")
    assert table in (world.checks("vibeboard / develop")[-1].summary or "")

    card.moved_to("Done")
    said = await card.replied("acceptance criteria", "2 of 3")
    assert "AC2 is tied to no test" in said
    await card.reaches("Review")
    card.said("/agent approve AC2", by="bob")
    await card.replied("Say why")
    card.said("/agent approve AC2 I heard it ring.", by="bob")

    await card.replied("Everything that *Done* asks for is there now", "AC2 by bob")
    card.moved_to("Done")
    await world.settled()
    assert card.column == "Done"


async def test_a_required_gate_keeps_github_from_merging(world: World) -> None:
    world.repository.protections["main"] = Protection(
        checks=(RequiredCheck("vibeboard / done"),)
    )
    card = await developed(world, "{tests: [unit], approvals: 1}")
    pull = card.pull
    assert pull is not None
    alice = world.user("alice")
    pulls.set_draft(world.hub, pull, draft=False, actor=alice)
    assert conclusion(world, pull.head_sha) == "failure"

    with pytest.raises(Refused, match="vibeboard / done"):
        pulls.merge(world.hub, pull, actor=alice)
    card.said(f"/agent approve {pull.head_sha[:9]}", by="bob")
    await world.until(
        lambda: conclusion(world, pull.head_sha) == "success", "an open gate"
    )
    pulls.merge(world.hub, pull, actor=alice)

    assert pull.merged_at is not None


async def test_a_merge_queue_is_answered(world: World) -> None:
    world.repository.protections["main"] = Protection(
        checks=(RequiredCheck("vibeboard / done"),), queue=True
    )
    card = await developed(world, "{tests: [unit]}")
    pull = card.pull
    assert pull is not None
    alice = world.user("alice")
    pulls.set_draft(world.hub, pull, draft=False, actor=alice)

    queue.enqueue(world.hub, pull, actor=alice)

    await world.until(lambda: pull.merged_at is not None, "the merge")


async def test_failing_checks_of_others_send_the_agent_back_and_not_for_ever(
    world: World,
) -> None:
    text = gated("{tests: [unit]}").replace(
        "otherwise: Attention", "otherwise: Attention\n    fix_checks: 1"
    )
    world.commit_file(".vibe.yml", text)
    card = world.card("Add a tock", "append tock.txt tock")
    card.moved_to("Development")
    await card.reaches("Review")
    pull = card.pull
    assert pull is not None
    first = pull.head_sha

    status(world, first, "failure", "Lint: tock.txt is no Python")
    await world.until(lambda: pull.head_sha != first, "a second commit")
    await world.settled()
    assert "ci/lint" in world.prompt(card)
    assert "Lint: tock.txt is no Python" in world.prompt(card)
    second = pull.head_sha
    status(world, second, "failure", "Still not")
    await world.settled()

    assert pull.head_sha == second
    assert len(card.tracking()) == 2


def status(world: World, sha: str, state: str, description: str) -> None:
    """Somebody's CI says something of a commit."""
    checks.set_status(
        world.hub,
        world.repository,
        sha,
        {"state": state, "context": "ci/lint", "description": description},
        actor=world.user("bob"),
    )


async def test_a_bot_that_passes_a_shut_gate_is_told_of_and_left_alone(
    world: World,
) -> None:
    card = await developed(world, "{approvals: 1}")

    bot = world.hub.users["vibeboard[bot]"]
    automation = replace(bot, login="github-project-automation[bot]", app=None)
    projects.move(world.hub, card.item, "Done", actor=automation)

    await card.replied("moved this card to *Done* although its gate is shut")
    assert card.column == "Done"


WAVERS = """\
import os, pathlib
def test_wavers():
    seen = pathlib.Path(os.environ["HOME"], os.environ["VIBE_SUITE"])
    known = seen.exists()
    seen.touch()
    assert known
"""


async def test_what_wavers_and_what_proves_nothing_is_told_by_name(
    world: World,
) -> None:
    suite = next(line for line in gated("{}").splitlines() if "run: " in line)
    text = gated("{tests: [unit, strict, silent]}") + (
        "    retries: 1\n"
        f"  strict:\n{suite.replace('unit.xml', 'strict.xml')}\n"
        "    report: out/strict.xml\n    retries: 1\n    flaky: fail\n"
        "  silent: {run: echo Nothing here., report: out/silent.xml}\n"
    )
    world.commit_file(".vibe.yml", text)
    card = world.card("Waver", "write test_w.py " + WAVERS.replace("\n", "\\n"))
    card.moved_to("Development")
    await card.reaches("Review")
    shown = await card.says("✅ done", "🎲 flaky: failed and passed on this commit")
    assert "- test\\_w::test\\_wavers" in shown
    (unit,) = world.checks("vibeboard / unit")
    assert (unit.conclusion, unit.title) == (
        "success",
        "2 tests passed, 1 of them flaky",
    )

    card.said("/agent retry tests")
    await card.says("❌ failed", stage="verify")
    card.moved_to("Done", by="bob")
    said = await card.replied("@bob moved this card to *Done*")
    assert "| ✅ | suite `unit` | 2 tests passed, 1 of them flaky on" in said
    assert "| ❌ | suite `strict` | 1 test of `strict` failed and passed (on" in said
    assert "| ❌ | suite `silent` | `silent` proves nothing: The command ended" in said
    await card.reaches("Review")
    (strict,) = world.checks("vibeboard / strict")
    (silent,) = world.checks("vibeboard / silent")
    assert (strict.conclusion, silent.conclusion) == ("failure", "action_required")


async def test_remarks_of_two_people_at_once_are_one_run(world: World) -> None:
    card = await developed(world, "{tests: [unit]}")
    pull = card.pull
    assert pull is not None
    gate = world.home / "gate"

    world.reviewed(pull, "tock.txt", 1, f"do: sleep {gate}", by="bob")
    await world.until(lambda: bool(world.agents()), "an agent at work")
    world.reviewed(pull, "tock.txt", 1, "do: write one.txt one", by="alice")
    world.reviewed(pull, "tock.txt", 1, "do: write two.txt two", by="bob")
    await world.settled()
    gate.touch()

    def answers() -> list[str]:
        said = [one for one in pull.review_comments if one.user.login == world.us]
        return [one.body for one in said if pull.head_sha in one.body]

    await world.until(lambda: len(answers()) == 2, "two answers of the last commit")
    assert {"one.txt", "two.txt"} <= world.files(pull.head_sha)
    assert len(card.tracking()) == 3
