import re
import sys
import time
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibeboard.domain.markdown import foreign, in_html, inline
from vibeboard.domain.sanitize import clean, is_hidden, revealed


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
        pytest.param("a\n[//]: # \nb", "a\n\nb", 1, id="one without words"),
        pytest.param("a\n[//]: #\n(evil)\nb", "a\n\n\nb", 1, id="words below it"),
        pytest.param("a\n[x]: <> 'evil\nmore'\nb", "a\n\nb", 1, id="on two lines"),
        pytest.param("[//]: #\n(so) it is", "(so) it is", 1, id="a sentence below it"),
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
        pytest.param("<!<!-- x -->-- evil -->b", "b", 2, id="made of another"),
        pytest.param("a<?evil?>b<!EVIL c>d", "abd", 2, id="markup that is not shown"),
        pytest.param("a<![CDATA[evil]]>b", "ab", 1, id="character data"),
        pytest.param("`<?php x ?>` y", "`<?php x ?>` y", 0, id="markup in code"),
        pytest.param("```\n<?x?>\n```", "```\n<?x?>\n```", 0, id="in a block"),
        pytest.param("a\ue000\ufdd0b", "ab", 2, id="private and no characters"),
        pytest.param("é\ufe0fz", "éz", 1, id="a selector that selects nothing"),
        pytest.param("❤\ufe0f\ufe0f\ufe0f", "❤\ufe0f", 2, id="selectors in a row"),
        pytest.param("\u0601", "\u0601", 0, id="a sign that is drawn"),
    ],
)
def test_a_person_sees(written: str, seen: str, removed: int) -> None:
    cleaned = clean(written)

    assert (cleaned.text, cleaned.removed) == (seen, removed)


HIDING = st.sampled_from(
    [
        "<!--", "-->", "<!", "--", ">", "<?", "?>", "<![CDATA[", "]]>", "<!x", "`",
        "```", "\n", " ", "    ", "> ", "[//]: # ", "[x]: <> ", "(y)", "a", "é", "❤",
        "क", "\u200b", "\u200d", "\ufe0f", "\u202e", "\u2066", "\u2028", "\x85",
        "\r", "\x00", "\U000e0041", "\U000e0100", "\u00ad", "\u3164", "\ufeff",
        "\ue000", "\ufdd0",
    ]
)  # fmt: skip
HOSTILE = st.text() | st.lists(HIDING, max_size=40).map("".join)


@settings(deadline=None, max_examples=300)
@given(HOSTILE)
def test_what_was_cleaned_stays_as_it_is(text: str) -> None:
    once = clean(text)

    assert clean(once.text) == replace(once, removed=0)


@settings(deadline=None, max_examples=300)
@given(HOSTILE)
def test_no_hidden_character_survives_but_those_that_join_letters(text: str) -> None:
    left = clean(text).text

    for before, one in pairwise(f"\n{left}"):
        if is_hidden(one):
            assert one in "\u200c\u200d\ufe0e\ufe0f"
            assert not before.isascii()
            assert not is_hidden(before) or before == "\ufe0f"


@settings(deadline=None, max_examples=300)
@given(HOSTILE)
def test_nothing_is_left_that_github_would_not_show(text: str) -> None:
    left = clean(text).text

    assert not re.search(r"<!--.*?-->", left, re.DOTALL)
    assert not re.search(r"^[ ]{0,3}\[//\]: # ", left, re.MULTILINE)


@settings(deadline=None)
@given(HOSTILE)
def test_what_a_person_judges_shows_everything(text: str) -> None:
    shown = revealed(text)

    assert not any(is_hidden(one) for one in shown)
    assert shown.count("⟨U+") >= sum(is_hidden(one) for one in text)


@pytest.mark.parametrize("category", ["Cc", "Cf", "Cs", "Co", "Zl", "Zp"])
def test_every_hidden_character_of_a_category_is_known(category: str) -> None:
    """All of Unicode, so that nobody finds one that was forgotten."""
    drawn = {0x0600, 0x0601, 0x0602, 0x0603, 0x0604, 0x0605, 0x06DD, 0x070F}
    drawn |= {0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD, 0x0A, 0x09}
    missed = [
        hex(point)
        for point in range(sys.maxunicode + 1)
        if unicodedata.category(chr(point)) == category
        and point not in drawn
        and not is_hidden(chr(point))
    ]

    assert missed == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<!--" * 20_000, id="comments never closed"),
        pytest.param("> " * 40_000, id="quotes in quotes"),
        pytest.param("\n[" * 40_000, id="references never closed"),
        pytest.param("\u200b" * 80_000, id="nothing to see"),
        pytest.param(" " * 80_000 + "x", id="spaces"),
        pytest.param("<!" * 30_000 + "-- x -->" * 2_000, id="comments in comments"),
        pytest.param("[x]: # (\n" * 10_000, id="titles never closed"),
        pytest.param("```\n<?" * 20_000, id="fences never closed"),
        pytest.param("❤\ufe0f" * 30_000, id="much to look at"),
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
