"""What people read on GitHub, whole, as it is written; and what cannot get into it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from vibeboard.domain import testwords, words
from vibeboard.domain.board import CardKey
from vibeboard.domain.evidence import CaseResult, Outcome, SuiteResult
from vibeboard.domain.markdown import code, foreign
from vibeboard.domain.proof import Proof
from vibeboard.domain.run import Cost, Report, Run, RunState, Step
from vibeboard.domain.situation import Situation
from vibeboard.domain.workflow import Agent, Cli, Prompt, Stage, Suite
from vibeboard.errors import Fault

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOW = AT + timedelta(seconds=65)
STAGE = Stage(
    "develop",
    "Development",
    Agent("recorded", Cli.COMMAND, ("true",)),
    Prompt(text="do"),
    tests=(Suite("unit", "pytest", ("r.xml",)),),
    next="Review",
)
RUN = Run(
    id="r12345678901",
    card=CardKey("acme/clock", 7),
    stage="develop",
    cause="d1",
    asked_by="alice",
    state=RunState.QUEUED,
    created_at=AT,
    changed_at=AT,
    config_commit="c0ffee1234",
)
GREEN = SuiteResult("unit", (CaseResult("test_a", Outcome.PASSED),), 0, 3.2)
RED = SuiteResult(
    "unit",
    (
        CaseResult("test_a", Outcome.PASSED),
        CaseResult(
            "test_b", Outcome.FAILED, 0.1, "assert 1 == 2", "def test_b():\n>   assert"
        ),
    ),
    1,
    3.2,
)
REPORT = Report(
    RunState.SUCCEEDED,
    summary="Added a tock.",
    commit="abcdef1234567",
    branch="vibe/7-fix",
    changed_files=2,
    pull_request=8,
    proof=Proof("a" * 40, "b" * 40, (GREEN,)),
    cost=Cost(usd=0.1234, input_tokens=1000, output_tokens=234, turns=5),
)
SAVED = Report(RunState.STOPPED, branch="vibe/7-fix", commit="abcdef1234567")


def under_way(state: RunState) -> Run:
    return replace(RUN, state=state, step=Step.AGENT, started_at=AT, attempt=1)


def over(report: Report, step: Step = Step.PUBLISH) -> Run:
    return replace(under_way(report.state), step=step, changed_at=NOW, report=report)


def shown(run: Run, *, waiting_for: str = "", notes: Sequence[str] = ()) -> str:
    return words.tracking(run, STAGE, now=NOW, waiting_for=waiting_for, notes=notes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            shown(RUN, waiting_for="*refine* on this card to end"),
            """\
### ⏳ waiting · develop · 1m 5s

Waiting for *refine* on this card to end.

- [ ] Prepare the workspace
- [ ] Agent works
- [ ] Run the tests
- [ ] Push and open the pull request


<sub>recorded · running up · attempt 1 · asked for by alice · `.vibe.yml@c0ffee1` · `/agent help`</sub>""",  # noqa: E501 - whole, as it is read
            id="waiting",
        ),
        pytest.param(
            shown(under_way(RunState.RUNNING)),
            """\
### 🏃 running · develop · 1m 5s

- [x] Prepare the workspace
- [ ] Agent works ← now
- [ ] Run the tests
- [ ] Push and open the pull request


<sub>recorded · running up · attempt 1 · asked for by alice · `.vibe.yml@c0ffee1` · `/agent help`</sub>""",  # noqa: E501 - whole, as it is read
            id="running",
        ),
        pytest.param(
            shown(over(REPORT), notes=("1 Git LFS file is a pointer.",)),
            """\
### ✅ done · develop · 1m 5s

- [x] Prepare the workspace
- [x] Agent works
- [x] Run the tests
- [x] Push and open the pull request

Pull request: #8 (2 files, branch `vibe/7-fix`)

| Suite | Verdict | Passed | Failed | Skipped | Time |
|---|---|---|---|---|---|
| unit | ✅ passed | 1 | 0 | 0 | 3s |

<details><summary>What the agent says</summary>

Added a tock.

</details>

> 1 Git LFS file is a pointer.

<sub>recorded · $0.12 · 1,234 tokens · 5 turns · attempt 1 · asked for by alice · `.vibe.yml@c0ffee1` · `/agent help`</sub>""",  # noqa: E501 - whole, as it is read
            id="done",
        ),
        pytest.param(
            shown(
                over(
                    replace(
                        REPORT,
                        state=RunState.FAILED,
                        reason="1 of 2 tests of `unit` failed",
                        proof=Proof("a" * 40, "b" * 40, (RED,)),
                        summary="",
                        cost=Cost(),
                    )
                )
            ),
            """\
### ❌ failed · develop · 1m 5s

- [x] Prepare the workspace
- [x] Agent works
- [x] Run the tests
- [x] Push and open the pull request

**1 of 2 tests of `unit` failed**

Pull request: #8 (2 files, branch `vibe/7-fix`)

| Suite | Verdict | Passed | Failed | Skipped | Time |
|---|---|---|---|---|---|
| unit | ❌ failed | 1 | 1 | 0 | 3s |

<details><summary>❌ test_b: assert 1 == 2</summary>

```text
def test_b():
>   assert
```

</details>


<sub>recorded · cost not reported by this agent · attempt 1 · asked for by alice · `.vibe.yml@c0ffee1` · `/agent help`</sub>""",  # noqa: E501 - whole, as it is read
            id="failed",
        ),
        pytest.param(
            shown(
                replace(
                    over(replace(SAVED, reason="it was asked to stop"), Step.AGENT),
                    stop_reason="@alice moved the card to Backlog",
                )
            ),
            """\
### ✋ stopped · develop · 1m 5s

- [x] Prepare the workspace
- [ ] Agent works
- [ ] Run the tests
- [ ] Push and open the pull request

**it was asked to stop: @alice moved the card to Backlog**

The work is saved on branch `vibe/7-fix` (`abcdef1`).

Move the card back to *Development* or comment `/agent develop` to go on from there.


<sub>recorded · cost not reported by this agent · attempt 1 · asked for by alice · `.vibe.yml@c0ffee1` · `/agent help`</sub>""",  # noqa: E501 - whole, as it is read
            id="stopped",
        ),
        pytest.param(
            words.pull_body(
                RUN, REPORT, current=None, template="## Checklist\n- [ ] Docs\n"
            ),
            """\
<!-- vibe:pull -->
Closes #7

<!-- vibe:preview --><!-- /vibe:preview -->

## Summary

Added a tock.

## Tests

| Suite | Verdict | Passed | Failed | Skipped | Time |
|---|---|---|---|---|---|
| unit | ✅ passed | 1 | 0 | 0 | 3s |

<sub>Stage `develop` · run `r12345678901` · $0.12 · 1,234 tokens · 5 turns · asked for by alice. Review comments by people with write permission send the agent back to work.</sub>
<!-- /vibe:pull -->

## Checklist
- [ ] Docs""",  # noqa: E501 - whole, as it is read
            id="the pull request",
        ),
        pytest.param(
            words.config_broken(
                Situation(
                    us="vibeboard[bot]",
                    faults=(
                        Fault(".vibe.yml", 3, 12, "`colum` is no key"),
                        Fault(".vibe.yml", 9, 1, "a second stages:"),
                    ),
                )
            ),
            """\
Did nothing: `.vibe.yml` on the default branch has faults, so no agent is started.

- `` .vibe.yml:3:12: `colum` is no key ``
- `.vibe.yml:9:1: a second stages:`

Mend the file; a pull request that touches it shows the check `vibeboard / config`. Then move the card again or repeat the command.""",  # noqa: E501 - whole, as it is read
            id="a broken configuration",
        ),
    ],
)  # fmt: skip
def test_people_read(text: str, expected: str) -> None:
    assert text == expected


def rendered(markdown: str) -> str:
    return str(MarkdownIt("gfm-like", {"linkify": False}).render(markdown))


@pytest.mark.parametrize("state", RunState)
def test_a_tracking_comment_is_a_heading_and_a_list(state: RunState) -> None:
    report = replace(REPORT, state=state, proof=Proof("a" * 40, "b" * 40, (RED,)))

    html = rendered(shown(over(report) if state in STATES_OVER else under_way(state)))

    assert html.count("<h3>") == 1
    assert html.count("<li>[") == 4
    if state in STATES_OVER:
        assert html.count("<table>") == 1
        assert html.count("<th>") == 6
        assert html.count("<td>") == 6
        assert html.count("<details>") == html.count("</details>")


STATES_OVER = {s for s in RunState if s.value in
               {"succeeded", "failed", "timed_out", "stopped"}}  # fmt: skip


def test_hostile_names_stay_in_their_cells() -> None:
    evil = "u|nit | x\n| y |\n</details> @bob `"
    results = (
        SuiteResult(evil, (CaseResult(evil, Outcome.FAILED, 0, evil, "```\n" + evil),)),
    )

    html = rendered("\n".join(testwords.told(Proof("a", "b", results))))

    assert html.count("<table>") == 1
    assert html.count("<td>") == 6
    assert html.count("<details>") == html.count("</details>") == 1
    assert "@bob" not in html.replace("<code", "").split("<pre>")[0]


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("@alice and @acme/team", "@\u200balice and @\u200bacme/team"),
        ("&#64;alice &commat;bob &#x40;eve", "@\u200balice @\u200bbob @\u200beve"),
        ("Closes #7", "Closes\u200b #7"),
        ("closes &#35;7", "closes\u200b #7"),
        ("fixes acme/x#3", "fixes\u200b acme/x#3"),
        ("Resolves: https://github.com/a/b/issues/1",
         "Resolves\u200b: https://github.com/a/b/issues/1"),
        ("/agent develop", "\u200b/agent develop"),
        ("hi\n  /AGENT stop", "hi\n  \u200b/AGENT stop"),
        ("![x](https://evil/x.png)", "!\\[x](https://evil/x.png)"),
        ("&#33;[x](https://evil/x.png)", "!\\[x](https://evil/x.png)"),
        ("<img src=x onerror=1>", "&lt;img src=x onerror=1>"),
        ("<script>x</script>", "&lt;script>x&lt;/script>"),
        ("<!-- vibe:run=r1 -->seen", "seen"),
        ("a\u202eb", "ab"),
        ("```\nopen", "```\nopen\n```"),
        ("````\n```\nstill", "````\n```\nstill\n````"),
        ("~~~\nx\n~~~", "~~~\nx\n~~~"),
        ("<details>never closed", "<details>never closed\n\n</details>"),
        ("</details> out", "&lt;/details> out"),
        ("plain *text* with `code`", "plain *text* with `code`"),
    ],
)  # fmt: skip
def test_foreign_text_has_no_effect(text: str, harmless: str) -> None:
    assert foreign(text) == harmless


@pytest.mark.parametrize(
    ("waits_for", "shown_as"),
    [
        pytest.param(
            words.waiting_paused("the disk is full."),
            "the operator of this server, who has paused runs here (the disk is full)",
            id="paused",
        ),
        pytest.param(
            words.waiting_paused(""),
            "the operator of this server, who has paused runs here",
            id="paused without a reason",
        ),
        pytest.param(
            words.waiting_again(AT, "GitHub answers nobody (@ops knows)"),
            "the next try, at 03:04 UTC (GitHub answers nobody (@\u200bops knows))",
            id="tried again",
        ),
    ],
)
def test_what_a_run_waits_for_fits_its_comment(waits_for: str, shown_as: str) -> None:
    assert waits_for == shown_as
    assert f"Waiting for {shown_as}.\n" in shown(RUN, waiting_for=waits_for)


def test_a_restart_is_noted() -> None:
    assert f"\n> {words.interrupted()}\n" in shown(RUN, notes=[words.interrupted()])


@pytest.mark.parametrize("asked_by", ["operator", "renovate[bot]"])
def test_nobody_is_called_who_is_no_person(asked_by: str) -> None:
    run = replace(over(Report(RunState.FAILED, reason="no")), asked_by=asked_by)

    assert words.run_needs_you(run).startswith("*develop* failed: no")


markdown = st.text(
    alphabet=st.sampled_from("ab @#/`~<>!&[]()|\n-*_1;:") | st.characters(), max_size=80
) | st.lists(
    st.sampled_from(
        ["<details>", "</details>", "```", "````", "~~~", "\n", "@a", "/agent stop",
         "closes #1", "![x](y)", "<!--", "-->", "&#64;", "<summary>", "|", "text "]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(markdown)
def test_no_foreign_text_mentions_or_leaves_its_fold(text: str) -> None:
    made = foreign(text)

    assert "@" not in made.replace("@\u200b", "")
    assert "<!--" not in made
    depth = 0
    for part in made.lower().replace("</details>", "\0-").replace(
        "<details", "\0+"
    ).split("\0")[1:]:  # fmt: skip
        depth += 1 if part[0] == "+" else -1
        assert depth >= 0
    assert depth == 0


@given(markdown)
def test_code_shows_any_text_as_code(text: str) -> None:
    html = rendered(f"- {code(text)}")

    if text.strip():
        assert html.count("<code>") == 1
        assert html.startswith("<ul>\n<li><code>")
