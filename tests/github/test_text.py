"""Markdown that fits, and the mark that makes it ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from vibeboard.github.text import (
    LONGEST_BODY,
    cut,
    in_bytes,
    marked,
    one_line,
    topic_of,
)


def test_what_fits_is_left_alone() -> None:
    assert cut("as it is", 8) == "as it is"


def test_what_does_not_fit_is_cut_and_says_so() -> None:
    short = cut("word " * 100, 200)

    assert len(short) <= 200
    assert "(cut" in short


def test_bytes_are_counted_where_github_counts_bytes() -> None:
    short = cut("é" * 1_000, 500, length=in_bytes)

    assert in_bytes(short) <= 500
    assert short.startswith("é" * 200)


@pytest.mark.parametrize("fence", ["```", "````", "~~~"])
def test_a_code_block_is_closed(fence: str) -> None:
    short = cut(f"{fence}text\n" + "a line\n" * 100, 300)

    code, note = MarkdownIt().parse(short)[0], MarkdownIt().parse(short)[-2]
    assert code.type == "fence"
    assert "(cut" not in code.content
    assert "(cut" in note.content


def test_a_shorter_fence_inside_does_not_close_the_block() -> None:
    short = cut("````\n```\ninner\n" + "a line\n" * 100, 300)

    assert "\n````\n" in short


def test_a_fold_is_closed() -> None:
    short = cut("<details><summary>All</summary>\n\n" + "a line\n" * 100, 300)

    assert short.count("<details>") == short.count("</details>") == 1


@given(
    text=st.lists(
        st.sampled_from(["```", "````", "~~~", "<details>", "</details>", "x" * 30])
    ).map("\n".join),
    limit=st.integers(min_value=150, max_value=400),
)
def test_nothing_is_ever_longer_than_the_limit(text: str, limit: int) -> None:
    assert len(cut(text, limit)) <= limit


@given(
    text=st.lists(
        st.sampled_from(["```", "````py", "~~~", "", "a line", "é" * 40])
    ).map("\n".join),
    limit=st.integers(min_value=150, max_value=400),
)
def test_the_note_that_something_is_left_out_is_never_code(
    text: str, limit: int
) -> None:
    short = cut(text, limit, length=in_bytes)

    codes = [one for one in MarkdownIt().parse(short) if one.type == "fence"]
    assert not [one for one in codes if "(cut: " in one.content]


def test_a_code_block_in_a_list_is_closed_in_the_list() -> None:
    short = cut("- one:\n\n  ```\n" + "  a line\n" * 100, 300)

    codes = [one for one in MarkdownIt().parse(short) if one.type == "fence"]
    assert len(codes) == 1
    assert "(cut: " not in codes[0].content


def test_a_title_is_one_line() -> None:
    assert one_line("a\n\tb  c", 255) == "a b c"
    assert one_line("x" * 300, 255) == "x" * 254 + "…"


def test_a_marked_body_tells_its_topic() -> None:
    assert topic_of(marked("Hello", "run=01J")) == "run=01J"


def test_a_long_body_keeps_its_mark() -> None:
    body = marked("x" * 100_000, "run=01J")

    assert len(body) <= LONGEST_BODY
    assert topic_of(body) == "run=01J"


def test_a_mark_in_quoted_text_is_not_ours() -> None:
    assert topic_of("> <!-- vibe:run=01J -->\n\nThank you") is None


@pytest.mark.parametrize("topic", ["", "a --> b", "a--b", "a\nb", "<b>"])
def test_a_topic_that_would_break_out_of_its_mark_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match="not a topic"):
        marked("Hello", topic)
