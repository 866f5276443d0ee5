"""What teams' rules come to, and that no trick of a shell gets past them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibeboard.domain.tools import (
    DEFAULT,
    ToolCall,
    ToolPolicy,
    Verdict,
    rule_of,
    rules_of,
)

ALLOW, ASK, DENY = Verdict.ALLOW, Verdict.ASK, Verdict.DENY


def shell(line: str, cwd: str = "") -> ToolCall:
    return ToolCall("1", "Bash", line, cwd=cwd)


def file(tool: str, *paths: str) -> ToolCall:
    return ToolCall("1", tool, ", ".join(paths), paths=paths)


POLICY = ToolPolicy(
    allow=rules_of("Read", "Edit(/src/**)", "Bash(git status*)", "Bash(pytest *)"),
    ask=rules_of("Bash(git push*)", "Edit(.github/**)"),
    deny=rules_of("Bash(rm *)", "Edit(*.pem)", "WebFetch(domain:evil.example)"),
    otherwise=ASK,
)


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("git status", ALLOW),
        ("git status --short", ALLOW),
        ("git status && git status -s | pytest", ALLOW),
        ("cd x; git status", ASK),
        ("git status; rm -rf x", DENY),
        ("git status\nrm -rf x", DENY),
        ("git status & rm x", DENY),
        ("git status $(rm x)", DENY),
        ("git status `rm x`", DENY),
        ('git status "$(rm x)"', DENY),
        ("git status <(rm x)", DENY),
        ("(git status; rm x)", DENY),
        ("if git status; then rm x; fi", DENY),
        ("for f in a b; do rm $f; done", DENY),
        ("git status '; rm -rf x'", ALLOW),
        ('r"m" x', DENY),
        ("r\\m x", DENY),
        ("/bin/rm x", DENY),
        ("sudo -u root rm x", DENY),
        ("X=1 rm x", DENY),
        ("bash -c 'rm x'", DENY),
        ("timeout 5 bash -lc 'git status && rm x'", DENY),
        ("find . -exec rm {} +", DENY),
        ("$(echo rm) x", DENY),
        ("$R x", DENY),
        ("{rm,x}", DENY),
        ("/bin/r? x", DENY),
        ("X=1 git status", ASK),
        ("PATH=/evil; git status", ASK),
        ("git() { true; }; git status", DENY),
        ("git status ${x:-$(rm y)}", DENY),
        ("git status $'\\n' rm", DENY),
        ("git status 'open", DENY),
        ("git push origin", ASK),
        ("git status > src/a.py", ALLOW),
        ("git status > a.py", ASK),
        ("git status > /etc/passwd", ASK),
        ("git status > ../src/a.py", DENY),
        ("git status 2>&1 >/dev/null", ALLOW),
        ("git status > .github/x.yml", ASK),
        ("git status > deep/key.pem", DENY),
        ("git status > $X", DENY),
        ("pytest <<'E'\n$(rm x)\nE", ALLOW),
        ("pytest <<E\n$(rm x)\nE", DENY),
        ("pytest", ALLOW),
        ("pytest-evil", ASK),
        ("git status # rm x", ALLOW),
        ("", ASK),
    ],
)
def test_each_command_of_a_line_is_ruled_on(line: str, verdict: Verdict) -> None:
    assert POLICY.judge(shell(line)).verdict is verdict


@pytest.mark.parametrize(
    ("call", "verdict"),
    [
        (file("Read", "/etc/passwd"), ALLOW),
        (file("Grep"), ALLOW),
        (file("Write", "src/a/b.py"), ALLOW),
        (file("Edit", "src/a.py", "b.py"), ASK),
        (file("Edit", "src/a.py", "src/x.pem"), DENY),
        (file("Edit", ".github/workflows/ci.yml"), ASK),
        (file("Edit", "/src/a.py"), ASK),
        (file("Edit", "../src/a.py"), ASK),
        (file("Edit"), DENY),
        (ToolCall("1", "WebFetch", "https://evil.example:443/x"), DENY),
        (ToolCall("1", "WebFetch", "https://evil.example.org/"), ASK),
        (ToolCall("1", "TodoWrite"), ALLOW),
        (ToolCall("1", "mcp__x__y"), ASK),
    ],
    ids=lambda each: f"{each.tool} {each.subject}" if hasattr(each, "tool") else "",
)
def test_tools_are_ruled_on_by_what_they_touch(
    call: ToolCall, verdict: Verdict
) -> None:
    assert POLICY.judge(call).verdict is verdict


def test_a_ruling_names_its_rules() -> None:
    assert POLICY.judge(shell("rm -rf x")).rule == "Bash(rm *)"
    assert POLICY.judge(shell("git status | pytest")).rule == (
        "Bash(git status*), Bash(pytest *)"
    )
    assert "plainer" in POLICY.judge(shell("f() { :; }")).note


def test_denied_goes_before_asked_and_asked_before_allowed() -> None:
    rules = rules_of("Bash(git*)")
    call = shell("git push")

    assert ToolPolicy(rules, rules, rules).judge(call).verdict is DENY
    assert ToolPolicy(rules, rules, ()).judge(call).verdict is ASK
    assert ToolPolicy(rules, (), ()).judge(call).verdict is ALLOW


@pytest.mark.parametrize(
    ("rule", "tool", "named"),
    [
        ("mcp__github", "mcp__github__merge", True),
        ("mcp__github__*", "mcp__github__merge", True),
        ("mcp__github", "mcp__githubber__merge", False),
        ("Edit", "NotebookEdit", True),
        ("Write", "Edit", False),
    ],
)
def test_rules_name_tools_by_family_and_server(
    rule: str, tool: str, *, named: bool
) -> None:
    assert rule_of(rule).names(tool) is named


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bash", "did you mean 'Bash'"),
        ("Bash(", "not a rule"),
        ("Bash()", "not a rule"),
        ("Read Edit", "not a rule"),
        ("mcp__x(y)", "have patterns"),
        ("WebFetch(example.org)", "domain:"),
    ],
)
def test_a_rule_that_would_never_hold_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule_of(text)


def test_where_nothing_is_said_an_agent_works_in_its_tree() -> None:
    assert DEFAULT.judge(file("Write", "a/b.py")).verdict is ALLOW
    assert DEFAULT.judge(shell("make -j2 && f() { :; }; f")).verdict is ALLOW
    assert DEFAULT.judge(file("Write", "/etc/passwd")).verdict is DENY
    assert DEFAULT.judge(ToolCall("1", "WebFetch", "https://x.org")).verdict is DENY
    assert DEFAULT.judge(ToolCall("1", "mcp__x__y")).verdict is DENY


def test_a_command_that_is_not_told_may_be_any() -> None:
    untold = ToolCall("1", "Execute", "git status")

    assert DEFAULT.judge(untold).verdict is ALLOW
    assert POLICY.judge(untold).verdict is DENY
    assert ONLY_OK.judge(untold).verdict is DENY
    named = ToolPolicy(allow=rules_of("Execute"), otherwise=DENY)
    assert named.judge(untold).verdict is ALLOW


def test_a_deed_has_the_same_key_whatever_it_is_called() -> None:
    one = ToolCall("1", "Bash", "make", {"command": "make"}, why="to build")

    assert one.key == ToolCall("2", "Bash", "make", {"command": "make"}).key
    assert one.key != ToolCall("1", "Bash", "make", {"command": "make x"}).key


# --- What a real shell makes of it ------------------------------------------------

PIECES = [
    "ok", "evil", "evil", " ", " ", ";", "&", "&&", "||", "|", "\n", "(", ")", "$(",
    "`", "'", '"', "\\", "{", "}", ",", "#", "<<E", "<<'E'", "\nE\n", ">", "<", "<(",
    "$x", "${x", "${x:-", "$((", "$'", "!", "if ", "then ", "fi", "do ", "done",
    "for x in ", "while ", "case ", "=", "a", "2>", "*", "[", "]", "~", "\t", "time ",
    "eval ", "<<<", ">&", "&>", "()", "\\\n", "-c",
]  # fmt: skip
ONLY_OK = ToolPolicy(allow=rules_of("Bash(ok*)", "Read"), otherwise=DENY)
SAW_EVIL = 77


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose only two programs are ``ok`` and ``evil``; the latter tells."""
    folder = tmp_path_factory.mktemp("playground")
    (folder / "bin").mkdir()
    (folder / "work").mkdir()
    for name, script in {"ok": ":", "evil": 'echo x >> "$0.ran"'}.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    return folder


@settings(max_examples=400, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=9))
def test_what_is_allowed_runs_nothing_else_in_a_real_bash(
    pieces: list[str], playground: Path
) -> None:
    line = "ok" + "".join(pieces)
    if ONLY_OK.judge(shell(line)).verdict is not ALLOW:
        return
    bash = shutil.which("bash", path=os.environ["PATH"])
    assert bash is not None

    subprocess.run(
        [bash, "--norc", "--noprofile", "-c", line],
        cwd=playground / "work",
        env={"PATH": str(playground / "bin")},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=20,
        check=False,
    )

    assert not (playground / "bin" / "evil.ran").exists()
    assert list((playground / "work").iterdir()) == []


@given(
    before=st.sampled_from(["", "git status ", "X=1 ", "( ", "! ", "time "]),
    after=st.text(alphabet=" ;&|()$`'\"\\\n{}<>#=abc", max_size=12),
)
def test_what_follows_a_denied_command_makes_it_no_better(
    before: str, after: str
) -> None:
    joint = "" if not before.startswith("git") else "; "

    verdict = POLICY.judge(shell(f"{before}{joint}rm x {after}")).verdict

    assert verdict is DENY
