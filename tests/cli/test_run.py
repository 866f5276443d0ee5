"""``vibeboard run``: one stage on one issue, without a server."""

import json

import pytest

from tests.cli.conftest import Terminal


async def test_a_stage_runs_to_its_end(terminal: Terminal) -> None:
    card = terminal.card("Add a tock", "write tock.txt tock", column="Development")

    said = await terminal.types("run", "develop", f"acme/clock#{card.issue.number}")

    assert said.code == 0, said.err
    assert card.pull is not None
    assert said.out == f"develop succeeded, pull request #{card.pull.number}\n"
    # What its end brings about is done, too, when the command is.
    assert card.column == "Review"
    assert "✅ done" in card.tracking()[-1]
    assert "asked for by operator" in card.tracking()[-1]


async def test_a_program_reads_the_end_as_json(terminal: Terminal) -> None:
    card = terminal.card("Give up", "exit 3")

    said = await terminal.types(
        "run", "develop", f"acme/clock#{card.issue.number}", "--json"
    )

    assert said.code == 1
    answer = json.loads(said.out)
    assert answer["state"] == "failed"
    assert "exit code 3" in answer["reason"]
    assert answer["pull_request"] is None


async def test_what_is_said_reaches_the_agent(terminal: Terminal) -> None:
    card = terminal.card("Listen")

    said = await terminal.types(
        "run",
        "develop",
        f"acme/clock#{card.issue.number}",
        "--say",
        "do: write a.txt a",
    )

    assert said.code == 0, said.err
    assert card.pull is not None
    assert "a.txt" in terminal.files(card.pull.head_sha)


@pytest.mark.parametrize(
    ("stage", "card", "reason"),
    [
        ("nope", "acme/clock#1", "no stage 'nope'; .vibe.yml has: refine, develop"),
        ("develop", "acme/clock#99", "acme/clock#99 is not an issue"),
        ("develop", "acme/none#1", "acme/none has no .vibe.yml"),
        ("develop", "acme", "write owner/repository#number"),
    ],
)
async def test_what_cannot_run_is_refused(
    terminal: Terminal, stage: str, card: str, reason: str
) -> None:
    said = await terminal.types("run", stage, card)

    assert said.code == 2
    assert reason in said.err


async def test_a_file_held_by_a_server_is_refused(terminal: Terminal) -> None:
    await terminal.serve()

    said = await terminal.types("run", "develop", "acme/clock#1")

    assert said.code == 2
    assert "is in use by another Vibeboard" in said.err
