import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibeboard.domain import commands
from vibeboard.domain.commands import (
    Approve,
    Batch,
    Command,
    Help,
    Merge,
    Preview,
    Reject,
    Retry,
    StartStage,
    Status,
    Stop,
    Unknown,
    parse,
)
from vibeboard.domain.run import Step

STAGES = ("refine", "develop", "Security-Check")


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        pytest.param("/agent help", Help(), id="help"),
        pytest.param("/agent", Help(), id="nothing after it is help"),
        pytest.param("/agent status", Status(), id="status"),
        pytest.param("/agent stop", Stop(), id="stop"),
        pytest.param("/agent stop, please", Unknown("stop,", "stop"), id="a comma"),
        pytest.param("/agent stop please", Stop(), id="politeness changes nothing"),
        pytest.param("/agent merge", Merge(), id="merge"),
        pytest.param("/agent preview", Preview(), id="preview"),
        pytest.param("/agent batch", Batch(), id="batch"),
        pytest.param("/agent refine", StartStage("refine"), id="a stage"),
        pytest.param("/AGENT Refine", StartStage("refine"), id="case does not matter"),
        pytest.param(
            "/agent security-check",
            StartStage("Security-Check"),
            id="a stage is given by its own name",
        ),
        pytest.param("  /agent\t refine  \r\n", StartStage("refine"), id="whitespace"),
        pytest.param("\n\n/agent refine", StartStage("refine"), id="empty lines first"),
        pytest.param(
            "/agent refine  ask for  the zone ",
            StartStage("refine", "ask for  the zone"),
            id="instructions on the line",
        ),
        pytest.param(
            "/agent develop but\r\n- keep the API\n\n- add a test\n",
            StartStage("develop", "but\n- keep the API\n\n- add a test"),
            id="instructions on the following lines",
        ),
        pytest.param("/agent retry", Retry(), id="retry"),
        pytest.param("/agent retry Tests", Retry(Step.TESTS), id="retry a step"),
        pytest.param(
            "/agent retry test",
            Unknown("retry test", "retry tests"),
            id="retry a step that is none",
        ),
        pytest.param(
            "/agent retry zzz", Unknown("retry zzz"), id="retry something far off"
        ),
        pytest.param("/agent approve", Approve(), id="approve what waits"),
        pytest.param("/agent approve 3f2a91c", Approve("3f2a91c"), id="approve a sha"),
        pytest.param("/agent reject", Reject(), id="reject what waits"),
        pytest.param(
            "/agent reject AC3 It is late.",
            Reject("AC3", "It is late."),
            id="reject a criterion",
        ),
        pytest.param(
            "/agent reject #12 too broad", Reject("#12", "too broad"), id="reject an id"
        ),
        pytest.param(
            "/agent reject defaced pages\nsee above",
            Reject(None, "defaced pages\nsee above"),
            id="a word of hex letters is no id",
        ),
        pytest.param("/agent refin", Unknown("refin", "refine"), id="nearly a stage"),
        pytest.param("/agent staus", Unknown("staus", "status"), id="nearly a command"),
        pytest.param("/agent frobnicate", Unknown("frobnicate"), id="nothing like it"),
    ],
)
def test_a_command_is(body: str, meant: Command) -> None:
    assert parse(body, STAGES) == meant


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="an empty comment"),
        pytest.param("Looks good", id="talk"),
        pytest.param("Please\n/agent refine", id="a later line"),
        pytest.param("run /agent refine", id="the middle of a line"),
        pytest.param("> /agent refine", id="a quote"),
        pytest.param("```\n/agent refine\n```", id="a code block"),
        pytest.param("    /agent refine", id="an indented code block"),
        pytest.param("\t/agent refine", id="a code block by tab"),
        pytest.param("`/agent refine`", id="code in a line"),
        pytest.param("<!--\n/agent refine\n-->", id="a hidden comment"),
        pytest.param("- /agent refine", id="a list"),
        pytest.param("/agents refine", id="another word"),
        pytest.param("/agent: refine", id="a colon"),
        pytest.param("/agent-refine", id="a hyphen"),
        pytest.param("//agent refine", id="two slashes"),
    ],
)
def test_no_command_is(body: str) -> None:
    assert parse(body, STAGES) is None


@settings(deadline=None)
@given(st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_any_text_can_be_parsed(text: str, stages: list[str]) -> None:
    assert not isinstance(parse(text, stages), StartStage) or "/agent" in text.lower()
    assert parse(f"/agent {text}", stages) is not None


def test_every_command_has_a_row_whose_example_is_that_command() -> None:
    by_word = {spec.word: parse(spec.example, STAGES) for spec in commands.COMMANDS}

    assert {type(command) for command in by_word.values()} == {
        *Command.__args__,
    } - {Unknown}
    assert all(
        spec.example.startswith(f"/agent {spec.word}") for spec in commands.COMMANDS
    )


def test_the_words_of_this_version() -> None:
    assert commands.SUPPORTED == (
        "help",
        "status",
        "stop",
        "retry",
        "approve",
        "reject",
        "preview",
    )
    assert {"approve", "reject", "merge", "preview", "batch"} < commands.RESERVED
