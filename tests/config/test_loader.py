import json
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.config.examples import FULL, SMALLEST, SUPPORTED
from vibeboard.config.document import read
from vibeboard.config.loader import load
from vibeboard.config.presets import builtin_names, builtin_prompt
from vibeboard.domain.board import BoardKey, Permission
from vibeboard.domain.review import Severity
from vibeboard.domain.tools import ToolPolicy, Verdict, rules_of
from vibeboard.domain.workflow import (
    Agent,
    Cap,
    Cli,
    Priority,
    Prompt,
    Result,
    Review,
    Runner,
    Scope,
    Stage,
    Suite,
    Workflow,
)
from vibeboard.errors import ConfigInvalid, NotSupportedYet


def loaded(text: str) -> Workflow:
    return load(text, owner="acme", commit="abc")


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigInvalid) as refused:
        load(text, path="f", owner="acme")
    return [str(fault).removeprefix("f:") for fault in refused.value.faults]


def with_stages(stages: str, rest: str = "") -> str:
    return f"version: 1\nstages:\n{stages}\n{rest}"


def test_the_smallest_file_means() -> None:
    claude = Agent("claude", Cli.CLAUDE_CODE)

    assert loaded(SMALLEST) == Workflow(
        board=BoardKey("acme", 7),
        column_field="Status",
        stages={
            "develop": Stage(
                name="develop",
                column="In progress",
                agent=claude,
                prompt=Prompt(builtin="develop"),
            )
        },
        suites={},
        commit="abc",
    )


def test_a_full_file_means() -> None:
    workflow = loaded(SUPPORTED)

    unit = Suite(
        name="unit",
        run="pytest --junitxml=out/unit.xml",
        reports=("out/unit.xml",),
        time_limit=timedelta(minutes=5),
    )
    claude = Agent(
        name="claude",
        cli=Cli.CLAUDE_CODE,
        model="sonnet",
        time_limit=timedelta(minutes=20),
        turns=60,
        usd=5,
    )
    assert workflow == Workflow(
        board=BoardKey("acme", 7),
        column_field="Stage",
        stages={
            "refine": Stage(
                name="refine",
                column="Refinement",
                agent=claude,
                prompt=Prompt(path=".vibe/prompts/refine.md"),
                result=Result.ISSUE,
                next="Ready",
            ),
            "develop": Stage(
                name="develop",
                column="Development",
                agent=Agent(
                    name="script",
                    cli=Cli.COMMAND,
                    command=("python3", "my agent.py", "--fast"),
                ),
                prompt=Prompt(builtin="develop"),
                needs=("refine",),
                tests=(unit,),
                next="QA",
                otherwise="Needs attention",
                priority=Priority.HIGH,
                delay=timedelta(seconds=90),
            ),
            "look": Stage(
                name="look",
                column=None,
                agent=claude,
                prompt=Prompt(text="Say what the change does."),
                result=Result.REPORT,
            ),
        },
        suites={"unit": unit},
        parallel=2,
        least_permission=Permission.MAINTAIN,
        trusted_bots=frozenset({"renovate[bot]"}),
        commit="abc",
    )


def test_agents_of_each_kind_have_their_rules() -> None:
    workflow = loaded(
        "version: 1\nstages: {a: {agent: x}, b: {agent: y}}\nagents:\n"
        "  x: {cli: codex, tools: {allow: [Read], deny: ['Bash(rm *)']}}\n"
        "  y: {cli: acp, command: gemini --acp, tools: {otherwise: deny}}\n"
    )

    x, y = workflow.stages["a"].agent, workflow.stages["b"].agent
    assert x.cli is Cli.CODEX
    assert x.tools == ToolPolicy(
        allow=rules_of("Read"), deny=rules_of("Bash(rm *)"), otherwise=Verdict.ASK
    )
    assert (y.cli, y.command) == (Cli.ACP, ("gemini", "--acp"))
    assert y.tools == ToolPolicy(otherwise=Verdict.DENY)


@pytest.mark.parametrize(
    ("stage", "prompt", "result"),
    [
        pytest.param("refine: {}", "refine", Result.ISSUE, id="refine"),
        pytest.param("qa: {}", "qa", Result.BRANCH, id="one of ours"),
        pytest.param("review: {}", "review", Result.REPORT, id="review"),
        pytest.param("build: {}", "develop", Result.BRANCH, id="another name"),
        pytest.param("spec: {result: issue}", "refine", Result.ISSUE, id="a spec"),
        pytest.param("look: {result: report}", "review", Result.REPORT, id="a report"),
        pytest.param(
            "x: {prompt: 'builtin:docs'}", "docs", Result.BRANCH, id="named by hand"
        ),
    ],
)
def test_what_a_stage_leaves_out(stage: str, prompt: str, result: Result) -> None:
    (found,) = loaded(with_stages(f"  {stage}")).stages.values()

    assert (found.prompt, found.result) == (Prompt(builtin=prompt), result)


@pytest.mark.parametrize(
    ("project", "board"),
    [
        pytest.param("7", BoardKey("acme", 7), id="a number"),
        pytest.param("'7'", BoardKey("acme", 7), id="a number in quotes"),
        pytest.param("other/7", BoardKey("other", 7), id="of another owner"),
    ],
)
def test_a_board_is(project: str, board: BoardKey) -> None:
    text = with_stages("  develop: {}", f"board: {{project: {project}}}")

    assert loaded(text).board == board


def test_without_a_board_comments_start_stages() -> None:
    assert loaded(with_stages("  develop: {}")).board is None


def test_the_only_agent_works_wherever_none_is_named() -> None:
    text = with_stages("  a: {}\n  b: {}", "agents: {codi: {model: big}}")

    assert {s.agent.name for s in loaded(text).stages.values()} == {"codi"}


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        pytest.param("./agent --fast", ("./agent", "--fast"), id="a line"),
        pytest.param("'run \"a b\"'", ("run", "a b"), id="quotes in a line"),
        pytest.param("[run, 'a b', '--n=1']", ("run", "a b", "--n=1"), id="a list"),
    ],
)
def test_a_command_is(command: str, arguments: tuple[str, ...]) -> None:
    agents = f"agents: {{x: {{cli: command, command: {command}}}}}"

    assert loaded(with_stages("  a: {}", agents)).stages["a"].agent.command == arguments


SHAPE = [
    pytest.param("stages: {a: {}}", "1:1: the key 'version' is missing", id="version"),
    pytest.param("version: 2\nstages: {a: {}}", "1:10: version: must be 1", id="later"),
    pytest.param("version: 1", "1:1: the key 'stages' is missing", id="no stages"),
    pytest.param(
        "version: 1\nstages: {}", "2:9: stages: must not be empty", id="empty stages"
    ),
    pytest.param(
        with_stages("  a:\n    colum: x"),
        "4:5: unknown key 'colum'; did you mean 'column'?",
        id="a misspelt key",
    ),
    pytest.param(
        with_stages("  a: {}", "zebra: 1"),
        "4:1: unknown key 'zebra'",
        id="a strange key",
    ),
    pytest.param(
        with_stages("  a: {}", "agents: {c: {limits: {minute: 3}}}"),
        "4:23: unknown key 'minute'; did you mean 'minutes'?",
        id="a misspelt key deep down",
    ),
    pytest.param(
        with_stages("  a: {column: 7}"),
        "3:15: column: must be text; put it in quotes if it is",
        id="a number for text",
    ),
    pytest.param(
        with_stages("  a: {column: ''}"),
        "3:15: column: must be one line of text that is not empty",
        id="an empty column",
    ),
    pytest.param(
        with_stages("  a: {needs: x}"),
        "3:14: needs: must be a list, such as [a, b]",
        id="no list",
    ),
    pytest.param(
        with_stages("  a: {result: brnch}"),
        "3:15: result: must be 'issue', 'branch', 'report' or 'evidence'; did you mean "
        "'branch'?",
        id="a misspelt value",
    ),
    pytest.param(
        with_stages("  a b: {}"), "3:3: must be a name: a letter, then", id="a bad name"
    ),
    pytest.param(
        with_stages("  a:"),
        "3:5: a: must be a mapping of keys",
        id="a stage of nothing",
    ),
    pytest.param(
        with_stages("  a: {}", "board: {project: a/b}"),
        "4:18: project: must be the project's number, or owner/number",
        id="a bad board",
    ),
    pytest.param(
        with_stages("  a: {}", "agents: {c: {limits: {minutes: 0}}}"),
        "4:32: minutes: must be at least 0.01",
        id="no minutes",
    ),
    pytest.param(
        with_stages("  a: {}", "agents: {c: {limits: {minutes: 1441}}}"),
        "4:32: minutes: must be at most 1440",
        id="too many minutes",
    ),
    pytest.param(
        with_stages("  a: {}", "agents: {c: {limits: {minutes: '45'}}}"),
        "4:32: minutes: must be a number",
        id="text for a number",
    ),
    pytest.param(
        with_stages("  a: {}", "tests: {u: {run: x}}"),
        "4:9: the key 'report' is missing",
        id="a suite without report",
    ),
    pytest.param(
        with_stages("  a: {}", "agents: {c: {cli: command, command: []}}"),
        "4:37: command: must not be empty",
        id="an empty command",
    ),
    pytest.param(
        with_stages("\n".join(f"  s{n}: {{}}" for n in range(51))),
        "3:3: stages: must have no more than 50 entries",
        id="too many stages",
    ),
    pytest.param(
        with_stages("  a: {}", "commands: {role: read}"),
        "4:18: role: must be 'triage', 'write', 'maintain' or 'admin'",
        id="everybody",
    ),
]


MEANING = [
    pytest.param(
        with_stages("  a: {}", "agents: {x: {network: [example.org, 'https://a.b']}}"),
        "4:37: network: must be a name alone",
        id="a host with a scheme",
    ),
    pytest.param(
        with_stages("  a: {}", "tests: {u: {run: x, report: o, network: ['*.org']}}"),
        "4:42: network: must not open a whole top-level domain",
        id="a host that is too much",
    ),
    pytest.param(
        with_stages("  develop: {needs: [refin]}\n  refine: {}"),
        "3:21: needs: no stage 'refin'; did you mean 'refine'?",
        id="needs an unknown stage",
    ),
    pytest.param(
        with_stages("  a: {tests: [x]}"), "3:15: tests: no suite 'x'", id="no suite"
    ),
    pytest.param(
        with_stages("  a: {agent: claud}"),
        "3:14: agent: no agent 'claud'; did you mean 'claude'?",
        id="no agent",
    ),
    pytest.param(
        with_stages("  a: {}", "agents: {x: {}, y: {}}"),
        "3:3: there are several agents (x, y); say which `agent` works",
        id="several agents",
    ),
    pytest.param(
        with_stages("  a: {column: To do}\n  b: {column: to DO}"),
        "4:15: column: the stage 'a' has this column already",
        id="two stages of one column",
    ),
    pytest.param(
        with_stages("  a: {needs: [b]}\n  b: {needs: [a]}"),
        "3:14: needs: these stages need each other: a → b → a",
        id="needs in a circle",
    ),
    pytest.param(
        with_stages("  a: {needs: [a]}"),
        "3:14: needs: these stages need each other: a → a",
        id="a stage that needs itself",
    ),
    pytest.param(
        with_stages("  a: {column: QA, next: qa}"),
        "3:25: next: leads back into the stage's own column",
        id="next is the same column",
    ),
    pytest.param(
        with_stages("  a: {column: A, next: B}\n  b: {column: B, next: A}"),
        "3:24: next: leads the card in a circle: a → b → a",
        id="next in a circle",
    ),
    pytest.param(
        with_stages("  Stop: {}"),
        "3:3: `/agent stop` is a command; name the stage otherwise",
        id="a stage named like a command",
    ),
    pytest.param(
        with_stages("  qa: {}\n  QA: {}"),
        "4:3: the stage 'qa' has this name already",
        id="two stages of one name",
    ),
    pytest.param(
        with_stages("  a: {}", "agents: {x: {cli: command}}"),
        "4:10: `cli: command` needs a `command` to run",
        id="no command",
    ),
    pytest.param(
        with_stages("  a: {}", "agents: {x: {command: y}}"),
        "4:14: `command` belongs to `cli: command`",
        id="a command for another program",
    ),
    pytest.param(
        with_stages("  a: {}", "agents: {x: {cli: acp}}"),
        "4:10: `cli: acp` needs a `command` to run",
        id="no command for a protocol",
    ),
    pytest.param(
        with_stages("  a: {}", "agents: {x: {tools: {ask: [Read, bash]}}}"),
        "4:34: ask: no tool 'bash'; did you mean 'Bash'?",
        id="a tool by another name",
    ),
    pytest.param(
        with_stages("  a: {}", "agents: {x: {cli: command, command: y, tools: {}}}"),
        "4:40: a `cli: command` has no tools that it could ask for",
        id="rules for a program that cannot ask",
    ),
    pytest.param(
        with_stages("  a: {}", 'agents: {x: {cli: command, command: "y \'z"}}'),
        "4:37: command: not a command line: No closing quotation",
        id="an open quote in a command",
    ),
    pytest.param(
        with_stages("  a: {}", "agents: {x: {cli: command, command: '# y'}}"),
        "4:37: command: must name a program",
        id="a command that is a remark",
    ),
    pytest.param(
        with_stages("  a: {prompt: 'builtin:refin'}"),
        "3:15: prompt: no prompt of ours; there are builtin:develop, builtin:docs, "
        "builtin:qa, builtin:refine, builtin:review; did you mean 'refine'?",
        id="no prompt of ours",
    ),
    pytest.param(
        with_stages("  a: {prompt: refine}"),
        "3:15: prompt: one word is no prompt",
        id="a word for a prompt",
    ),
    *(
        pytest.param(
            with_stages(f"  a: {{prompt: '{path}'}}"), f"3:15: prompt: {why}", id=path
        )
        for path, why in [
            ("/etc/p.md", "must be relative to the top of the repository"),
            ("~/p.md", "must be relative to the top of the repository"),
            ("C:/p.md", "must be relative to the top of the repository"),
            ("a/../../p.md", "must not lead out of the repository (..)"),
            ("a\\p.md", "must be written with / between its parts"),
            ("a//p.md", "must be a plain path, without empty parts and ./"),
            (".GIT/p.md", "must not lead into .git"),
        ]
    ),
    *(
        pytest.param(
            with_stages("  a: {}", f"tests: {{u: {{run: x, report: [o, '{glob}']}}}}"),
            f"4:33: report: {why}",
            id=glob,
        )
        for glob, why in [
            ("/out/*.xml", "must be relative to the top of the repository"),
            ("../*.xml", "must not lead out of the repository (..)"),
            ("out/**x.xml", "may have ** only as a whole part, as in out/**/*.xml"),
            ("out/**", "must end in a file's name, as in out/**/*.xml"),
            ("out/[a.xml", "has a [ that no ] closes"),
        ]
    ),
]

NOT_YET = [
    pytest.param("preview: {run: x}", "4:1: `preview`", id="preview"),
]


@pytest.mark.parametrize(("text", "fault"), [*SHAPE, *MEANING])
def test_a_fault_is_told_with_its_place(text: str, fault: str) -> None:
    (only,) = faults(text)

    assert only.startswith(fault)


@pytest.mark.parametrize(("rest", "fault"), NOT_YET)
def test_what_is_not_carried_out_yet_is_refused(rest: str, fault: str) -> None:
    assert faults(with_stages("  a: {}", rest)) == [f"{fault} is not supported yet"]


def test_a_stage_says_who_carries_it_out_or_the_whole_file_does() -> None:
    stages = "  a: {runner: own}\n  b: {}\n  c: {runner: actions}"

    here = loaded(with_stages(stages))
    there = loaded(with_stages(stages, "runner: actions"))

    own, actions = Runner.OWN, Runner.ACTIONS
    assert [s.runner for s in here.stages.values()] == [own, own, actions]
    assert [s.runner for s in there.stages.values()] == [own, actions, actions]
    assert here.verification().runner is here.reviewing().runner is own
    assert there.verification().runner is there.reviewing().runner is actions


SPECIALISTS = """\
version: 1
agents: {a: {}, b: {}}
stages:
  verify: {agent: a}
  qa: {column: QA, agent: a, result: evidence, reviews: [security, sec, perf]}
  q2: {result: evidence}
  q3: {column: Q, gate: {reviews: [pref]}}
reviews:
  perf: {agent: a}
  ac3: {agent: c, prompt: builtin:secrity, blocks_on: major}
"""


def test_what_specialists_cannot_mean_is_told_with_its_place() -> None:
    assert faults(SPECIALISTS) == [
        "4:3: runs of gates are called 'verify'; name it otherwise",
        "5:20: no agent works in a stage of `result: evidence`: no `agent`",
        "5:58: there are several agents (a, b); say which `agent` works",
        "5:68: reviews: no review 'sec'",
        "6:16: result: `result: evidence` needs `tests` or `reviews`",
        "7:36: reviews: no review 'pref'; did you mean 'perf'?",
        (
            "9:3: say what to look for, as `prompt`; only performance, security, "
            "tests, ux are ours"
        ),
        "10:3: `/agent approve ac3` means a criterion; name it otherwise",
        "10:16: agent: no agent 'c'",
        (
            "10:27: prompt: no prompt of ours; there are builtin:performance, "
            "builtin:security, builtin:tests, builtin:ux; did you mean 'security'?"
        ),
    ]


def test_specialists_of_ours_need_no_words() -> None:
    text = with_stages(
        "  a: {column: A, reviews: [security, ux]}\n"
        "  done: {column: D, gate: {reviews: [security]}}",
        "reviews: {ux: {prompt: Look at it., blocks_on: never}}",
    )
    workflow = loaded(text)
    security, ux = workflow.stages["a"].reviews

    assert security.prompt.builtin == "reviews/security"
    assert (security.blocks_on, ux.blocks_on) == (Severity.CRITICAL, None)
    assert workflow.stages["a"].result is Result.BRANCH
    assert workflow.reviewing().reviews == (security,)
    assert workflow.reviews == {"security": security, "ux": ux}


def test_another_agent_or_prompt_makes_another_review() -> None:
    one = Review("x", Agent("a", Cli.CLAUDE_CODE), Prompt(text="see"))
    others = [
        replace(one, agent=replace(one.agent, model="better")),
        replace(one, agent=Agent("a", Cli.COMMAND, ("see",))),
        replace(one, prompt=Prompt(text="look")),
        replace(one, prompt=Prompt(path="see")),
    ]

    assert len({each.definition for each in [one, *others]}) == len(others) + 1
    assert replace(one, blocks_on=None).definition == one.definition


@pytest.mark.parametrize(
    ("rest", "fault"),
    [
        ("coverage_at_least: 80", "4:32: `coverage_at_least` needs `coverage`"),
        (
            "coverage: c.xml, baseline: false, coverage_drop: 1",
            "4:66: `coverage_drop` needs the `baseline`",
        ),
        ("coverage: ../c.xml", "4:42: coverage: must not lead out"),
        ("env: {1X: y}", "4:38: "),
    ],
)
def test_what_a_suite_cannot_mean(rest: str, fault: str) -> None:
    text = f"tests: {{u: {{run: x, report: y, {rest}}}}}"
    (only,) = faults(with_stages("  a: {}", text))

    assert only.startswith(fault), only


def test_a_gate_alone_starts_no_agent() -> None:
    rest = "tests: {u: {run: x, report: y}}"
    stages = "  a: {column: A}\n  b: {column: B, gate: {tests: [u], approvals: 2}}"
    workflow = loaded(with_stages(stages, rest))
    gate = workflow.gates["b"]

    assert (gate.tests, gate.approvals) == ((workflow.suites["u"],), 2)
    assert workflow.stages["b"].result is Result.NOTHING
    assert workflow.stages["a"].result is Result.BRANCH
    assert workflow.verification().tests == gate.tests


def test_the_lower_limit_of_agent_and_stage_counts() -> None:
    own = "minutes: 60, turns: 5, tokens: 90000"
    agents = "agents: {claude: {limits: {minutes: 9, usd: 4, tokens: 50000}}}"
    stage = loaded(with_stages(f"  a: {{limits: {{{own}}}}}", agents)).stages["a"]

    agent = stage.agent
    assert agent.time_limit == timedelta(minutes=9)
    assert (agent.turns, agent.usd, agent.tokens) == (5, 4, 50_000)
    assert stage.caps == ()


def test_caps_say_where_they_come_from() -> None:
    stages = "  a: {limits: {usd_per_issue: 2, usd_per_day: 3}}\n  b: {}"
    found = loaded(with_stages(stages, "limits: {usd_per_issue: 20, usd_per_day: 50}"))

    shared = [
        Cap(Scope.ISSUE, 20, "limits.usd_per_issue"),
        Cap(Scope.DAY, 50, "limits.usd_per_day"),
    ]
    assert sorted(found.stages["a"].caps, key=lambda cap: cap.usd) == [
        Cap(Scope.STAGE_OF_ISSUE, 2, "stages.a.limits.usd_per_issue"),
        Cap(Scope.STAGE_OF_DAY, 3, "stages.a.limits.usd_per_day"),
        *shared,
    ]
    assert list(found.stages["b"].caps) == shared


def test_a_gate_stands_before_a_column() -> None:
    (only,) = faults(with_stages("  a: {gate: {approvals: 1}}"))

    assert only.startswith("3:7: a gate stands before a column"), only


def test_a_sandbox_is_required_of_all_that_runs() -> None:
    workflow = load(
        with_stages(
            "  a: {tests: [u]}",
            "sandbox: required\n"
            "tests: {u: {run: x, report: o, network: ['*.Example.org']}}",
        ),
        path=".vibe.yml",
        owner="acme",
    )

    stage = workflow.stages["a"]
    assert stage.agent.sandbox_required
    assert stage.agent.network == ()
    assert stage.tests[0].sandbox_required
    assert stage.tests[0].network == ("*.example.org",)
    assert stage.tests[0].definition != replace(stage.tests[0], network=()).definition


def test_all_faults_are_told_at_once_and_in_order() -> None:
    text = with_stages(
        "  a: {colum: x, needs: 1}\n  b: {runner: act}", "zebra: 1\nrunner: x"
    )

    assert faults(text) == [
        "3:7: unknown key 'colum'; did you mean 'column'?",
        "3:24: needs: must be a list, such as [a, b]",
        "4:15: runner: must be 'own' or 'actions'; did you mean 'actions'?",
        "5:1: unknown key 'zebra'",
        "6:9: runner: must be 'own' or 'actions'",
    ]


def test_all_contradictions_are_told_at_once() -> None:
    text = with_stages("  stop: {needs: [x], agent: y, tests: [z]}")

    assert [fault.split(": ", 1)[1] for fault in faults(text)] == [
        "`/agent stop` is a command; name the stage otherwise",
        "needs: no stage 'x'",
        "agent: no agent 'y'",
        "tests: no suite 'z'",
    ]


def test_the_full_example_lacks_only_what_is_not_supported_yet() -> None:
    assert all(fault.endswith(" is not supported yet") for fault in faults(FULL))


def mutated(text: str) -> st.SearchStrategy[str]:
    pieces = st.one_of(
        st.sampled_from(
            ["\n", " ", "\t", ": ", "- ", "{", "}", "[", "]", "&a ", "*a", "!x ", "'"]
        ),
        st.sampled_from(["version: 1\n", "stages", "null", "7", "1e999", "..", "|\n"]),
        st.text(max_size=4),
    )
    edits = st.lists(
        st.tuples(st.integers(0, len(text)), st.integers(0, 12), pieces), max_size=4
    )

    def apply(changes: list[tuple[int, int, str]]) -> str:
        edited = text
        for start, length, piece in changes:
            edited = edited[:start] + piece + edited[start + length :]
        return edited

    return edits.map(apply)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(st.one_of(mutated(SMALLEST), mutated(SUPPORTED), mutated(FULL), st.text()))
def test_any_text_loads_or_has_faults_inside_it(text: str) -> None:
    try:
        loaded(text)
    except ConfigInvalid as error:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for fault in error.faults:
            assert 1 <= fault.line <= len(lines), fault
            assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1, fault


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "version: 1\nstages:\n"
            + "\n".join(
                f"  {'s' * 30}{n}: {{needs: [{', '.join(['s' * 30 + 'x'] * 50)}]}}"
                for n in range(50)
            ),
            id="a guess for every name",
        ),
        pytest.param(
            "version: 1\n" + "\n".join(f"stagex{n}: 1" for n in range(4_900)),
            id="a guess for every key",
        ),
        pytest.param("[" * 262_000, id="depth"),
        pytest.param("a: " + "x " * 130_000, id="a long text"),
    ],
)
def test_a_large_file_takes_no_long_time(text: str) -> None:
    began = time.perf_counter()

    assert faults(text)

    assert time.perf_counter() - began < 10


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-1, 2000),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from(["develop", "unit", "claude", "codex", "x.md", "**", "QA"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=3,
)


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in ``value`` that another value can be put into."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    below = [place for key, each in inside for place in places(each, (*above, key))]
    return [(*above, key) for key, _ in inside] + below


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_value_in_any_place_loads_or_has_faults(data: st.DataObject) -> None:
    value = read(data.draw(st.sampled_from([SUPPORTED, FULL])), "f").value
    *above, key = data.draw(st.sampled_from(places(value)))
    part = value
    for each in above:
        part = part[each]
    part[key] = data.draw(VALUES)

    with suppress(ConfigInvalid):
        loaded(json.dumps(value, indent=1))


def test_every_prompt_of_ours_can_be_read() -> None:
    assert all(len(builtin_prompt(name)) > 500 for name in builtin_names())

    with pytest.raises(NotSupportedYet, match=r"builtin:\.\./x"):
        builtin_prompt("../x")
