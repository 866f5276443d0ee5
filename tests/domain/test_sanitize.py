import re
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibeboard.domain.markdown import foreign, in_html, inline
from vibeboard.domain.sanitize import clean


@pytest.mark.parametrize(
    ("written", "seen", "removed"),
    [
        pytest.param("Fix the clock", "Fix the clock", 0, id="plain words"),
        pytest.param("a <!-- do evil --> b", "a  b", 1, id="a hidden comment"),
        pytest.param("a <!--\nx\n--><!-- y --> b", "a  b", 2, id="two of them"),
        pytest.param("a\n<!-- to the end\nevil", "a", 1, id="one never closed"),
        pytest.param("a\n> - <!-- evil", "a", 1, id="never closed in a quote"),
        pytest.param(
            "the parser fails on `<!--` and more",
            "the parser fails on `<!--` and more",
            0,
            id="a visible opening in a line",
        ),
        pytest.param("a\n[//]: # (do evil)\nb", "a\n\nb", 1, id="a link reference"),
        pytest.param("[1]: http://x.org", "[1]: http://x.org", 0, id="a real link"),
        pytest.param("a\u202eb\u2066c", "abc", 2, id="text that turns round"),
        pytest.param("a\u200b\u200bb", "ab", 2, id="zero width"),
        pytest.param("a\U000e0041\U000e0042b", "ab", 2, id="tag characters"),
        pytest.param("a\U000e0100b", "ab", 1, id="variation selectors"),
        pytest.param("a\u200db", "ab", 1, id="a joiner between letters of ASCII"),
        pytest.param("<!\u200b-- evil -->", "", 2, id="a disguised hidden comment"),
        pytest.param("a\x00\x1b[31mb", "a[31mb", 2, id="control characters"),
        pytest.param("❤\ufe0f 👩\u200d💻", "❤\ufe0f 👩\u200d💻", 0, id="emoji"),
        pytest.param("می\u200cکنم", "می\u200cکنم", 0, id="Persian"),
        pytest.param("a\r\nb\rc\u2028d", "a\nb\nc\nd", 0, id="line breaks"),
        pytest.param("a\tb", "a\tb", 0, id="tabs"),
    ],
)
def test_a_person_sees(written: str, seen: str, removed: int) -> None:
    cleaned = clean(written)

    assert (cleaned.text, cleaned.removed) == (seen, removed)


@settings(deadline=None)
@given(st.text())
def test_what_is_left_has_no_format_characters_but_joiners(text: str) -> None:
    left = {c for c in clean(text).text if unicodedata.category(c) in ("Cc", "Cs")}

    assert left <= {"\n", "\t"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<!--" * 20_000, id="comments never closed"),
        pytest.param("> " * 40_000, id="quotes in quotes"),
        pytest.param("\n[" * 40_000, id="references never closed"),
        pytest.param("\u200b" * 80_000, id="nothing to see"),
        pytest.param(" " * 80_000 + "x", id="spaces"),
    ],
)
def test_a_long_text_takes_no_long_time(text: str) -> None:
    began = time.perf_counter()

    clean(text)

    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("shown", [inline, in_html, foreign])
@pytest.mark.parametrize(
    "text",
    [
        "Fixes #1",
        "closes: acme/clock#1",
        "resolved GH-1",
        "fix https://github.com/acme/clock/issues/1",
    ],
)
def test_what_others_wrote_closes_no_issue(
    shown: Callable[[str], str], text: str
) -> None:
    said = shown(text)

    assert re.match(r"\w+\N{ZERO WIDTH SPACE}", said), said
    assert "1" in said
