"""Specialists look at a commit, and gates ask for what they found."""

import json

from localhub import git, pulls, pushes
from localhub.state import CheckRun
from tests.journeys.test_gate import conclusion, gated
from tests.journeys.world import Card, World

HOLE: dict[str, object] = {
    "severity": "critical",
    "path": "tock.txt",
    "line": 1,
    "title": "A shell runs it",
    "text": "Whoever writes `tock.txt` runs commands. Quote it, @alice.",
}
SLIP: dict[str, object] = {
    "severity": "minor",
    "title": "Two words",
    "text": "Say tock.",
}


def reviewed(gate: str, *, stage: str = "", **prompts: list[dict[str, object]]) -> str:
    """A file whose specialists find what they are told to."""
    lines = ["reviews:"]
    for name, found in prompts.items():
        told = json.dumps({"findings": found})
        advice = "" if name != "ux" else "    blocks_on: never\n"
        lines += [f"  {name}:\n{advice}    prompt: |", "      Look at it."]
        lines += [] if name == "ux" else [f"      do: findings {told}"]
    whole = gated(gate) + "\n".join([*lines, ""])
    return whole.replace("otherwise: Attention", f"otherwise: Attention\n{stage}")


def check(world: World, name: str) -> CheckRun:
    return world.checks(f"vibeboard / {name}")[-1]


async def test_what_specialists_find_keeps_a_card_from_moving_on(world: World) -> None:
    text = reviewed(
        "{reviews: [security]}",
        stage="    reviews: [security, wording, ux]",
        security=[HOLE, SLIP],
        wording=[SLIP],
        ux=[],
    )
    world.commit_file(".vibe.yml", text)
    card = world.card("Add a tock", "write tock.txt tock", "append README.md more")
    card.moved_to("Development")
    await card.reaches("Attention")
    pull = card.pull
    assert pull is not None

    shown = await card.says("❌ failed", "the review `security` blocks")
    assert "| security | ❌ blocks | 1 | 0 | 1 | 0 |" in shown
    assert "| wording | ✅ passed | 0 | 0 | 1 | 0 |" in shown
    assert "| ux | ⚠️ inconclusive |" in shown
    assert "**ux** says nothing: it left no `.vibe/out/findings.json`" in shown
    assert "@alice." not in shown
    assert "- [x] Specialists look at it" in shown
    security = check(world, "review: security")
    assert (security.conclusion, security.title) == (
        "failure",
        "Found: 1 critical, 1 minor",
    )
    (remark,) = security.annotations
    assert (remark["path"], remark["start_line"]) == ("tock.txt", 1)
    assert check(world, "review: wording").conclusion == "success"
    assert check(world, "review: ux").conclusion == "neutral"
    assert check(world, "develop").conclusion == "failure"
    assert "## Reviews\n\n| Review | Verdict |" in (pull.body or "")
    # What specialists change is thrown away: the agent's line is there once.
    readme = git.text(world.repository.git_dir, "show", f"{pull.head_sha}:README.md")
    assert readme.count("more") == 1

    card.moved_to("Done", by="bob")
    said = await card.replied("@bob moved this card to *Done*")
    assert "| ❌ | review `security` | blocks: “A shell runs it” (tock.txt:1)" in said
    assert "`/agent approve security <reason>` passes over the review" in said
    await card.reaches("Attention")
    card.said("/agent approve security Only tests write it.", by="bob")
    await card.replied("Everything that *Done* asks for is there now", "by bob: Only")
    assert conclusion(world, pull.head_sha) == "success"


async def test_a_gate_wants_the_newest_commit_reviewed(world: World) -> None:
    text = reviewed("{reviews: [security]}", security=[])
    world.commit_file(".vibe.yml", text)
    card = world.card("Add a tock", "write tock.txt tock")
    card.moved_to("Development")
    await card.reaches("Review")
    pull = card.pull
    assert pull is not None

    card.moved_to("Done")
    said = await card.replied("| ❌ | review `security` | was not made of")
    assert "`/agent retry reviews` has the newest commit reviewed" in said
    await card.reaches("Review")
    card.said("/agent retry reviews")
    await card.replied("Everything that *Done* asks for is there now")
    first = pull.head_sha
    assert conclusion(world, first) == "success"
    assert check(world, "review: security").title == "Found nothing"
    await card.says("✅ done", "no agent at work", stage="reviews")
    looks = list(world.home.glob("data/runs/*/review-security-*.log"))
    card.said("/agent retry reviews")
    await world.until(lambda: len(card.tracking("reviews")) == 2, "a second run")
    await card.says("✅ done", stage="reviews")
    assert list(world.home.glob("data/runs/*/review-security-*.log")) == looks

    second = forced(world, card)
    await card.replied("This card cannot stand in *Done* yet", "was not made of")
    assert conclusion(world, second) == "failure"
    card.moved_to("Done")
    await card.reaches("Review")


def forced(world: World, card: Card) -> str:
    """Bob puts another commit in the place of the branch's."""
    pull = card.pull
    assert pull is not None
    directory = world.repository.git_dir
    before = pushes.snapshot(world.repository)
    parent = git.resolve(directory, "refs/heads/main")
    assert parent is not None
    blob = git.write_blob(directory, b"other\n")
    tree = git.write_tree(directory, parent, {"other.txt": ("100644", blob)})
    who = pulls.signature(world.hub, world.user("bob"))
    head = git.write_commit(directory, tree, [parent], "Another way", who, who)
    git.update_ref(directory, f"refs/heads/{pull.head_ref}", head)
    pushes.compare(world.hub, world.repository, before, actor=world.user("bob"))
    return head
