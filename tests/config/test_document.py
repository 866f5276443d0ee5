import itertools
from typing import Any

import pytest

from vibeboard.config.document import read
from vibeboard.errors import ConfigInvalid

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in itertools.pairwise("abcdefghi")
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(
            "a: on\nb: yes\nc: no", {"a": "on", "b": "yes", "c": "no"}, id="on"
        ),
        pytest.param("a: true\nb: False", {"a": True, "b": False}, id="truth"),
        pytest.param("on: 1\n7: 2", {"on": 1, "7": 2}, id="keys are text"),
        pytest.param(
            "a: 45\nb: -1\nc: 2.5", {"a": 45, "b": -1, "c": 2.5}, id="numbers"
        ),
        pytest.param("a: '45'\nb: \"true\"", {"a": "45", "b": "true"}, id="quoted"),
        pytest.param("a: 2026-01-02\nb: 1_0\nc: 12:30", None, id="text like numbers"),
        pytest.param("a: 9999999999999999999999", None, id="a number too long"),
        pytest.param("a:\nb: ~\nc: null", dict.fromkeys("abc"), id="nothing"),
        pytest.param("a: |\n  x\n  y\n", {"a": "x\ny\n"}, id="a block of text"),
        pytest.param("a: &x [1]\nb: *x", {"a": [1], "b": [1]}, id="an alias"),
        pytest.param("\ufeffa: 1\r\nb: 2\r\n", {"a": 1, "b": 2}, id="from Windows"),
        pytest.param("%YAML 1.1\n---\na: on", {"a": "on"}, id="an older version"),
        pytest.param("<<: {a: 1}", {"<<": {"a": 1}}, id="no merge keys"),
    ],
)
def test_plain_values(text: str, value: dict[str, Any] | None) -> None:
    expected = value or dict(line.split(": ") for line in text.splitlines())

    assert read(text, "f").value == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("", "1:1: the file is empty", id="nothing"),
        pytest.param("# x\n", "1:1: the file is empty", id="only a remark"),
        pytest.param("- a\n", "1:1: the file must be a mapping", id="a list"),
        pytest.param("a: 1\nb: 2\na: 3", "3:1: the key 'a' is already on", id="twice"),
        pytest.param("a:\n\t- b\n", "2:1: a tab; YAML is indented with", id="a tab"),
        pytest.param("a: !x 1", "1:4: the tag '!x'", id="a tag"),
        pytest.param("a: !!python/object:os.system x", "1:4: the tag", id="an object"),
        pytest.param("[1]: 2", "1:1: a key must be text", id="a list as key"),
        pytest.param(
            "a: &x k\n*x : 1", "2:1: a key must be text", id="an alias as key"
        ),
        pytest.param("a: &x [*x]", "1:8: the alias *x stands inside", id="a circle"),
        pytest.param("a: *y", "1:4: the alias *y has no anchor", id="no anchor"),
        pytest.param("a: " + "[" * 99, "1:53: nested deeper than 50", id="too deep"),
        pytest.param("a: [\n", "1:4: not YAML", id="never closed"),
        pytest.param("a: b: c", "1:5: not YAML: mapping values", id="two colons"),
        pytest.param("a: 'x\n", "1:4: not YAML", id="an open quote"),
        pytest.param("a: 1\n---\nb: 1", "2:1: a second document", id="two documents"),
        pytest.param('a: "\\ud800"', "1:4: half of a character", id="a surrogate"),
        pytest.param('a: "\\U99999999"', "1:1: not YAML that can", id="no character"),
        pytest.param("a: 1\nb: \x00", "2:4: a character that", id="a NUL"),
        pytest.param("#" * 262_145, "1:1: the file is larger than 256 KiB", id="large"),
        pytest.param("a: [" + "1, " * 10_001, "1:29996: more than 10000", id="many"),
        pytest.param(LAUGHS, "4:44: the aliases make the file too large", id="a bomb"),
        pytest.param(
            "a: é\u2028\r\nb: [", "2:4: not YAML", id="lines as GitHub counts"
        ),
    ],
)
def test_what_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        read(text, "f")

    (only,) = refused.value.faults
    assert str(only).startswith(f"f:{fault}")


def test_a_fault_stands_at_the_nearest_place_that_exists() -> None:
    document = read("a:\n  b: [x, y]\n", "f")

    def place(*location: str | int, at_key: bool = False) -> tuple[int, int]:
        fault = document.fault(location, "wrong", at_key=at_key)
        return fault.line, fault.column

    assert place("a", "b", 1) == (2, 10)
    assert place("a", "b") == (2, 6)
    assert place("a", "b", at_key=True) == (2, 3)
    assert place("a", "c") == (2, 3)
    assert place() == (1, 1)
