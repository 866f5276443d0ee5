from tests.config.examples import SMALLEST, SUPPORTED
from vibeboard.config.explain import explain
from vibeboard.config.loader import load


def test_the_smallest_file_is_explained_with_what_it_leaves_out() -> None:
    assert (
        explain(load(SMALLEST, owner="acme"))
        == """\
Board `acme/7`, columns of the field `Status`.

### Stages

| Column | Stage | Agent | Prompt | Result | Tests | Reviews | Next | Otherwise | \
Needs | Priority |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| `In progress` | `develop` | `claude` | `builtin:develop` | branch |  |  | \
stays | stays |  | normal |

### Agents

| Agent | Program | Model | Minutes | Turns | USD | Tokens | Tools |
| --- | --- | --- | --- | --- | --- | --- | --- |
| `claude` | Claude Code | its default | 45 | no limit | no limit | no limit | \
files in its tree, shell |

### Limits

- At most 3 runs at the same time.
- Runs are started by people with at least write permission.
"""
    )


def test_a_full_file_is_explained() -> None:
    shown = explain(load(SUPPORTED, owner="acme"))

    assert "| by comment only | `look` | `claude` | inline | report |  |  |" in shown
    assert "| `Needs attention` | `refine` | high |" in shown
    assert "| `Development`, after 1.5 min | `develop` |" in shown
    assert "| `script` | `python3 my agent.py --fast` | its default | 45 |" in shown
    assert "| `unit` | `pytest --junitxml=out/unit.xml` | `out/unit.xml` | 5 |" in shown
    assert "- Bots that may, too: `renovate[bot]`." in shown


def test_specialists_are_explained() -> None:
    text = (
        "version: 1\n"
        "stages:\n"
        "  qa: {column: QA, result: evidence, reviews: [security, ux]}\n"
        "  done: {column: Done, gate: {reviews: [security]}}\n"
        "reviews: {ux: {prompt: Look at it., blocks_on: never}}\n"
    )
    shown = explain(load(text, owner="acme"))

    assert "| `QA` | `qa` | nobody |  | evidence |  | `security`, `ux` |" in shown
    assert "| `security` | `claude` | `builtin:security` | critical |" in shown
    assert "| `ux` | `claude` | inline | never |" in shown


def test_rules_for_tools_are_explained() -> None:
    tools = "{allow: [Read, Edit], deny: ['Bash(rm *)'], otherwise: ask}"
    agents = f"agents: {{x: {{cli: codex, tools: {tools}}}}}"

    shown = explain(load(SMALLEST + agents, owner="acme"))

    assert "| `x` | Codex |" in shown
    assert "| deny `Bash(rm *)`; allow `Read`, `Edit`; otherwise ask |" in shown


def test_words_of_the_file_stay_in_their_cell() -> None:
    text = (
        "version: 1\n"
        "stages: {a: {column: 'x | `y` <b>', tests: [u]}}\n"
        'tests: {u: {run: "a |\\nb", report: o.xml}}\n'
    )
    shown = explain(load(text, owner="acme"))

    assert "| `` x \\| `y` <b> `` |" in shown
    assert "| `a \\| b` |" in shown
    assert shown.startswith("No board: stages start by comments alone")
