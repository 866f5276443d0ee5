"""A card moved on a board becomes a tested pull request."""

import signal

import pytest

from localhub import apps, git, issues
from tests.journeys.world import PYTEST, World, config


async def test_a_card_dragged_to_development_becomes_a_tested_pull_request(
    world: World,
) -> None:
    world.commit_file(".vibe.yml", config(suite=PYTEST))
    card = world.card(
        "Add a tock",
        "write tock.py def tock():\\n    return 2",
        "write test_tock.py from tock import tock\\n\\n\\n"
        "def test_tock():\\n    assert tock() == 2",
        "summary Added a tock.",
    )

    card.moved_to("Development")
    await card.reaches("Review")

    pull = card.pull
    assert pull is not None
    assert pull.draft
    assert pull.title == "Add a tock"
    assert f"Closes #{card.issue.number}" in (pull.body or "")
    assert "Added a tock." in (pull.body or "")
    assert "| unit | ✅ passed | 2 | 0 | 0 |" in (pull.body or "")
    (check,) = world.checks("vibeboard / develop")
    assert check.suite.head_sha == pull.head_sha
    assert check.conclusion == "success"
    assert {"tock.py", "test_tock.py"} < world.files(pull.head_sha)
    assert ".vibe/out/summary.md" not in world.files(pull.head_sha)
    (commit,) = git.log(world.repository.git_dir, f"main..{pull.head_sha}")
    assert commit.author.name == "vibeboard[bot]"
    shown = await card.says("✅ done", f"#{pull.number}", "| unit | ✅ passed")
    assert len(card.tracking()) == 1, shown


async def test_the_tracking_comment_is_there_before_the_agent_works(
    world: World,
) -> None:
    card = world.card("Wait a little", "sleep 5", "write a.txt a")

    card.moved_to("Development")
    shown = await card.says("🏃 running", "Agent works ← now")

    assert "asked for by alice" in shown
    assert card.pull is None
    await world.settled()
    assert len(card.tracking()) == 1


async def test_red_tests_give_a_red_check_and_move_the_card_aside(world: World) -> None:
    card = world.card(
        "Break the clock",
        "write clock.py def tick():\\n    return 3",
        "summary All tests pass.",
    )

    card.moved_to("Development")
    await card.reaches("Attention")

    assert card.pull is not None
    assert card.pull.draft
    (check,) = world.checks("vibeboard / develop")
    assert check.conclusion == "failure"
    assert check.title == "1 of 1 tests of unit failed"
    (suite,) = world.checks("vibeboard / unit")
    assert "test_tick" in (suite.summary or "")
    await card.says("❌ failed", "1 of 1 tests of `unit` failed")
    called = await card.replied("@alice *develop* failed")
    assert "`/agent retry`" in called


async def test_an_agent_that_fails_says_why_and_its_work_is_saved(world: World) -> None:
    card = world.card("Give up", "write half.txt half", "say I cannot", "exit 3")

    card.moved_to("Development")
    await card.reaches("Attention")

    shown = await card.says("❌ failed", "The work is saved on branch")
    assert "3" in shown
    assert card.pull is None
    branch = f"vibe/{card.issue.number}-give-up"
    assert "half.txt" in world.files(branch)


@pytest.mark.thorough
async def test_a_card_in_passing_starts_nothing_where_a_stage_has_a_delay(
    world: World,
) -> None:
    patient = config().replace("next: Review", "next: Review\n    delay: 0.05")
    world.commit_file(".vibe.yml", patient)
    passing = world.card("Pass by", "write passed.txt x")
    staying = world.card("Stay", "write stayed.txt x")

    passing.moved_to("Development")
    await passing.says("⏳ waiting", "this stage lets a card stand for a while")
    passing.moved_to("Backlog")
    staying.moved_to("Development")

    await passing.says("✋ stopped", "Not started: @alice moved the card to Backlog")
    await staying.reaches("Review")
    assert passing.column == "Backlog"
    assert passing.pull is None


@pytest.mark.thorough
async def test_an_agent_that_takes_too_long_is_ended(world: World) -> None:
    world.commit_file(".vibe.yml", config(minutes=0.02))
    card = world.card("Dawdle", "write part.txt part", "daemon 600", "sleep 600")

    card.moved_to("Development")
    await card.reaches("Attention")

    await card.says("⌛ out of time", "The work is saved on branch")
    assert not world.children()


@pytest.mark.thorough
async def test_an_agent_that_changes_nothing_is_told_so(world: World) -> None:
    card = world.card("Do nothing", "say done")

    card.moved_to("Development")
    await card.reaches("Attention")

    await card.says("scripted finished without changing any file")
    assert card.pull is None


async def test_moving_the_card_away_stops_the_agent_and_saves_its_work(
    world: World,
) -> None:
    card = world.card("Start something", "write begun.txt begun", "sleep 600")
    card.moved_to("Development")
    await card.says("Agent works ← now")
    await world.until(lambda: bool(world.agents()), "the agent")

    card.moved_to("Backlog")
    shown = await card.says("✋ stopped")

    assert "The work is saved on branch" in shown
    assert "Move the card back to *Development*" in shown
    assert card.column == "Backlog"
    assert "begun.txt" in world.files(f"vibe/{card.issue.number}-start-something")
    assert not world.agents()


async def test_moving_the_card_back_resumes_on_the_saved_branch(world: World) -> None:
    card = world.card("Start something", "write begun.txt begun", "sleep 600")
    card.moved_to("Development")
    await world.until(lambda: bool(world.agents()), "the agent")
    await world.until(lambda: world.wrote("begun.txt"), "the agent's file")
    card.moved_to("Backlog")
    await card.says("✋ stopped")
    card.rewritten("write ended.txt ended")

    card.moved_to("Development")
    await card.reaches("Review")

    assert card.pull is not None
    assert {"begun.txt", "ended.txt"} < world.files(card.pull.head_sha)


@pytest.mark.thorough
async def test_a_comment_stops_the_agent(world: World) -> None:
    card = world.card("Start something", "write begun.txt begun", "sleep 600")
    card.moved_to("Development")
    await world.until(lambda: bool(world.agents()), "the agent")

    comment = card.said("/agent stop", by="bob")
    await card.says("✋ stopped")

    assert [reaction.content for reaction in comment.reactions] == ["eyes"]
    assert card.column == "Development"


async def test_a_refined_issue_is_then_developed(world: World) -> None:
    card = world.card(
        "Ring",
        "spec A bell.\\n\\nAC1. It rings.\\nAC2. It stops.",
        "summary Wrote the spec.",
    )
    card.moved_to("Refinement")
    await card.reaches("Backlog")

    assert "AC1. It rings." in (card.issue.body or "")
    assert (card.issue.body or "").startswith("do: spec")
    await card.says("✅ done", stage="refine")

    card.rewritten(f"{card.issue.body}\ndo: write bell.txt ring")
    card.said("/agent develop Make it loud.")
    await card.reaches("Review")

    prompt = world.prompt(card)
    assert "Make it loud." in prompt
    assert "Wrote the spec." in prompt
    assert card.pull is not None
    assert "bell.txt" in world.files(card.pull.head_sha)


@pytest.mark.thorough
async def test_a_spec_without_criteria_is_refused(world: World) -> None:
    card = world.card("Vague", "spec It should be nice.")

    card.moved_to("Refinement")

    await card.says("no numbered acceptance criteria", stage="refine")
    assert "should be nice.\n<!--" not in (card.issue.body or "")


async def test_a_review_comment_sends_the_agent_back_to_the_same_pull_request(
    world: World,
) -> None:
    card = world.card("Add a tock", "write tock.txt tock")
    card.moved_to("Development")
    await card.reaches("Review")
    pull = card.pull
    assert pull is not None
    first = pull.head_sha

    comment = world.reviewed(pull, "tock.txt", 1, "do: write more.txt more", by="bob")
    await world.until(lambda: pull.head_sha != first, "a second commit")
    await world.until(
        lambda: len(world.checks("vibeboard / develop")) == 2, "a second check"
    )

    assert card.pull is pull
    assert {"tock.txt", "more.txt"} < world.files(pull.head_sha)
    assert [reaction.content for reaction in comment.reactions] == ["eyes"]
    assert "tock.txt` line 1" in world.prompt(card)
    await world.until(lambda: len(pull.review_comments) == 2, "a reply in the thread")
    reply = pull.review_comments[-1]
    assert reply.in_reply_to is comment
    assert f"Worked on this in {pull.head_sha}" in reply.body


async def test_a_strangers_move_is_put_back_with_the_reason(world: World) -> None:
    card = world.card("Tempting", "write x.txt x")
    await world.settled()

    card.moved_to("Development", by="mallory")
    said = await card.replied("@mallory moved this card", "needs write permission")

    assert "has read" in said
    await card.reaches("Backlog")
    await world.settled()
    assert card.tracking() == []


async def test_a_broken_config_stops_new_runs_and_says_where(world: World) -> None:
    world.commit_file(".vibe.yml", "version: 1\nstages:\n  develop: {colum: Code}\n")
    card = world.card("Wait for the config", "write x.txt x")

    card.moved_to("Development")
    said = await card.replied("has faults")

    assert ".vibe.yml:3:" in said
    assert "colum" in said
    assert card.tracking() == []


@pytest.mark.thorough
async def test_a_pull_request_that_touches_the_config_gets_a_check(
    world: World,
) -> None:
    good = world.pull_request(".vibe.yml", config(minutes=3), "Less time")
    bad = world.pull_request(".vibe.yml", "version: 2\n", "Newer")

    def concluded(sha: str) -> list[str | None]:
        return [
            check.conclusion
            for check in world.checks("vibeboard / config")
            if check.suite.head_sha == sha
        ]

    await world.until(lambda: concluded(good.head_sha) == ["success"], "a green check")
    await world.until(lambda: concluded(bad.head_sha) == ["failure"], "a red check")
    (red,) = [
        check
        for check in world.checks("vibeboard / config")
        if check.conclusion == "failure"
    ]
    assert red.annotations[0]["path"] == ".vibe.yml"
    assert red.annotations[0]["start_line"] == 1


@pytest.mark.thorough
async def test_a_config_that_names_what_is_not_there_is_told_so(world: World) -> None:
    text = config().replace("next: Review", "next: Reviews")
    pull = world.pull_request(".vibe.yml", text, "Misspelt")

    await world.until(lambda: bool(world.checks("vibeboard / config")), "the check")
    (check,) = world.checks("vibeboard / config")

    assert check.suite.head_sha == pull.head_sha
    assert check.conclusion == "failure"
    (remark,) = check.annotations
    assert "Did you mean “Review”?" in remark["message"]
    line = text.splitlines()[remark["start_line"] - 1]
    assert line.strip() == "next: Reviews"


@pytest.mark.thorough
async def test_what_people_wrote_in_the_pull_request_stays(world: World) -> None:
    card = world.card("Add a tock", "write tock.txt tock", "summary First.")
    card.moved_to("Development")
    await card.reaches("Review")
    pull = card.pull
    assert pull is not None
    issues.edit(
        world.hub,
        pull,
        actor=world.user("bob"),
        body=f"Bob was here.\n\n{pull.body}\n\nAnd here.",
    )

    card.rewritten("do: write more.txt more\ndo: summary Second.")
    card.said("/agent develop")
    await world.until(lambda: "Second." in (pull.body or ""), "the new summary")

    body = pull.body or ""
    assert body.startswith("Bob was here.")
    assert body.endswith("And here.")
    assert "First." not in body


@pytest.mark.thorough
async def test_an_app_that_was_installed_anew_goes_on(world: World) -> None:
    card = world.card("Add a tock", "write tock.txt tock")
    await world.settled()
    (installation,) = world.hub.installations.values()
    alice = world.user("alice")

    apps.uninstall(world.hub, installation, actor=alice)
    apps.install(world.hub, installation.app, world.user("acme"), actor=alice)
    card.moved_to("Development")

    await card.reaches("Review")


@pytest.mark.thorough
async def test_closing_the_issue_clears_its_workspace_away(world: World) -> None:
    card = world.card("Add a tock", "write tock.txt tock")
    card.moved_to("Development")
    await card.reaches("Review")
    assert world.wrote("tock.txt")

    issues.close(world.hub, card.issue, actor=world.user("alice"))
    await world.until(lambda: not world.wrote("tock.txt"), "an empty place")


async def test_a_stage_chains_into_the_stage_of_its_next_column(world: World) -> None:
    world.commit_file(
        ".vibe.yml", config().replace("next: Backlog", "next: Development")
    )
    card = world.card(
        "Both at once",
        "spec Both.\\n\\nAC1. It is.",
        "write both.txt both",
    )

    card.moved_to("Refinement")
    await card.reaches("Review")

    assert card.pull is not None
    assert len(card.tracking("refine")) == len(card.tracking("develop")) == 1


@pytest.mark.thorough
async def test_two_cards_are_worked_on_at_once(world: World) -> None:
    cards = [world.card(f"Card {n}", "sleep 0.5", f"write {n}.txt x") for n in (1, 2)]

    for card in cards:
        card.moved_to("Development")
    for card in cards:
        await card.reaches("Review")

    assert len({card.pull.number for card in cards if card.pull}) == 2


@pytest.mark.thorough
async def test_a_bots_move_starts_nothing(world: World) -> None:
    card = world.card("Close me", "write x.txt x")
    issues.close(world.hub, card.issue, actor=world.user("alice"))
    await card.reaches("Done")

    await world.settled()
    assert card.replies == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_run_survives_the_death_of_its_server(
    world: World, how: signal.Signals
) -> None:
    card = world.card("Survive", "write a.txt a", "sleep 1.5", "write b.txt b")
    card.moved_to("Development")
    await world.until(lambda: world.wrote("a.txt"), "the agent's first file")

    await world.end(how)
    await world.until(lambda: not world.agents(), "the agent to be gone")
    await world.serve()
    await card.reaches("Review")

    assert card.pull is not None
    assert {"a.txt", "b.txt"} < world.files(card.pull.head_sha)
    assert len(card.tracking()) == 1
    await card.says("✅ done", "attempt 2")
    assert len(world.checks("vibeboard / develop")) == 1


@pytest.mark.thorough
async def test_the_server_goes_on_with_what_a_killed_terminal_left(
    still_world: World,
) -> None:
    world = still_world
    card = world.card("Survive", "write a.txt a", "sleep 1.5", "write b.txt b")
    terminal = await world.started("run", "develop", f"acme/clock#{card.issue.number}")
    await world.until(lambda: world.wrote("a.txt"), "the first file")
    terminal.kill()
    await terminal.wait()

    await world.serve()
    await card.reaches("Review")

    assert len(card.tracking()) == 1


@pytest.mark.thorough
async def test_what_happened_while_the_server_was_busy_dying_is_not_lost(
    world: World,
) -> None:
    card = world.card("Late", "write a.txt a")
    await world.settled()
    before = world.deliveries("projects_v2_item")
    card.moved_to("Development")
    await world.until(
        lambda: world.deliveries("projects_v2_item") > before, "the answer 202"
    )
    await world.end(signal.SIGKILL)

    await world.serve()
    await card.reaches("Review")

    assert len(card.tracking()) == 1
