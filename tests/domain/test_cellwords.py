"""What people and agents read about cells."""

from dataclasses import replace

import pytest

from tests.domain.test_words import REPORT, over, shown
from vibeboard.domain import cellwords


def test_an_agent_is_told_what_it_may_reach() -> None:
    assert cellwords.within_reach(()) == (
        "Work without the internet: what is not installed cannot be downloaded."
    )
    assert cellwords.within_reach(("example.net", "*.example.org")) == (
        "Of the internet, only example.net, *.example.org may be reached."
    )


def test_what_a_cell_refused_stands_on_the_runs_comment() -> None:
    note = cellwords.hosts_refused({"evil.example:443": 3, "b.example:80": 1})

    assert note == (
        "The network refused `evil.example:443` (3x), `b.example:80`. What is needed "
        "can be named in `network` in `.vibe.yml`."
    )
    assert f"\n> {note}\n" in shown(over(replace(REPORT, notes=(note,))))


@pytest.mark.parametrize(
    "hostile",
    ["`@acme/all` closes #1", "x\n\n# Done", "<script>", "a" * 5000],
    ids=["mention", "lines", "html", "long"],
)
def test_what_was_asked_for_is_foreign_text(hostile: str) -> None:
    told = cellwords.models_refused({hostile: 1})

    assert "\n" not in told
    assert len(told) < 400
    assert told.startswith("Requests to models were refused: `")
    inside = told.removeprefix("Requests to models were refused: ").rstrip(".")
    ticks = len(inside) - len(inside.lstrip("`"))
    assert "`" * ticks not in inside.strip("`")


@pytest.mark.parametrize("bound", ["memory", "processes", "disk"])
def test_each_bound_names_its_setting(bound: str) -> None:
    assert f"VIBEBOARD_RUN_{bound.upper()}" in cellwords.bound_reached(bound)


def test_a_missing_sandbox_is_told_with_the_way_to_get_it() -> None:
    told = cellwords.sandbox_missing("bubblewrap is not installed")

    assert "bubblewrap is not installed" in told
    assert "`vibeboard doctor`" in told
