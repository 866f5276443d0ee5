"""What people read of previews, and which of several deployments counts."""

from dataclasses import replace

import pytest

from vibeboard.domain import preview
from vibeboard.domain.preview import Preview, PreviewState, place

HEAD = "a" * 40
READY = Preview(
    7, "preview/pr-2", HEAD, PreviewState.READY, "https://pr-2.preview.example.org"
)
FAILED = replace(READY, id=8, state=PreviewState.FAILED, url="")
GONE = replace(READY, state=PreviewState.GONE)
DOCS = replace(READY, id=3, environment="docs", url="https://docs.example.org/2")


@pytest.mark.parametrize(
    ("known", "found", "expected"),
    [
        pytest.param((), (READY,), (READY,), id="the-first"),
        pytest.param((READY,), (FAILED,), (FAILED,), id="a-later-one-counts"),
        pytest.param((FAILED,), (READY,), (FAILED,), id="an-earlier-one-does-not"),
        pytest.param((READY,), (GONE,), (), id="gone"),
        pytest.param((FAILED,), (GONE,), (FAILED,), id="an-earlier-one-is-gone"),
        pytest.param((READY,), (DOCS,), (DOCS, READY), id="each-its-own"),
    ],
)
def test_of_an_environments_deployments_the_latest_counts(
    known: tuple[Preview, ...],
    found: tuple[Preview, ...],
    expected: tuple[Preview, ...],
) -> None:
    assert preview.merged(known, found) == expected


@pytest.mark.parametrize(
    ("one", "line"),
    [
        pytest.param(
            READY,
            "[preview/pr-2](https://pr-2.preview.example.org) of `aaaaaaa`",
            id="ready",
        ),
        pytest.param(FAILED, "preview/pr-2 of `aaaaaaa` failed", id="failed"),
        pytest.param(
            replace(FAILED, log="https://ci.example.org/9"),
            "preview/pr-2 of `aaaaaaa` failed ([log](https://ci.example.org/9))",
            id="failed-with-a-log",
        ),
        pytest.param(
            replace(READY, environment="@alice](https://evil.example.org) [x"),
            "[@\N{ZERO WIDTH SPACE}alice\\](https://evil.example.org) \\[x]"
            "(https://pr-2.preview.example.org) of `aaaaaaa`",
            id="a-hostile-name",
        ),
    ],
)
def test_a_preview_is_a_link_that_says_what_of(one: Preview, line: str) -> None:
    assert preview.told((one,)) == line


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://pr-2.example.org/a?b=c#d", "https://pr-2.example.org/a?b=c#d"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("javascript:alert(1)", ""),
        ("https://a.example.org) [b](https://c.example.org", ""),
        ("https://a.example.org/\n## No", ""),
        ("https://a.example.org/" + "a" * 600, ""),
        ("", ""),
        (None, ""),
    ],
)
def test_only_the_webs_addresses_are_shown(given: str | None, shown: str) -> None:
    assert preview.address(given) == shown


def test_a_pull_request_shows_previews_in_their_place_alone() -> None:
    body = f"Mine.\n\n{place(None)}\n\nAlso mine."

    shown = preview.in_body(body, (READY,))
    again = preview.in_body(shown, (FAILED,))

    line = "[preview/pr-2](https://pr-2.preview.example.org) of `aaaaaaa`"
    assert f"\n**Preview:** {line}\n" in shown
    assert "**Preview:** preview/pr-2 of `aaaaaaa` failed" in again
    assert preview.in_body(again, ()) == body
    assert preview.in_body("All mine.", (READY,)) == "All mine."
    assert place("All mine.") == place(None)
    assert line in place(shown)
