"""What a `.vibe.yml` means once everything left out is filled in, as Markdown."""

from collections.abc import Iterable

from vibeboard.domain.markdown import code
from vibeboard.domain.tools import DEFAULT, ToolPolicy
from vibeboard.domain.workflow import (
    Agent,
    Cli,
    Prompt,
    Review,
    Stage,
    Suite,
    Workflow,
)

_PROGRAMS = {Cli.CLAUDE_CODE: "Claude Code", Cli.CODEX: "Codex"}


def explain(workflow: Workflow) -> str:
    """The effective configuration, for the summary of its check."""
    parts = [
        _board(workflow),
        _table(
            "Stages",
            [
                "Column",
                "Stage",
                "Agent",
                "Prompt",
                "Result",
                "Tests",
                "Reviews",
                "Next",
                "Otherwise",
                "Needs",
                "Priority",
            ],
            [_stage(stage) for stage in workflow.stages.values()],
        ),
        _table(
            "Agents",
            ["Agent", "Program", "Model", "Minutes", "Turns", "USD", "Tokens", "Tools"],
            [_agent(agent) for agent in _agents(workflow)],
        ),
        _table(
            "Tests",
            ["Suite", "Command", "Reports", "Minutes"],
            [_suite(suite) for suite in workflow.suites.values()],
        ),
        _table(
            "Reviews",
            ["Review", "Agent", "Prompt", "Blocks on"],
            [_review(review) for review in workflow.reviews.values()],
        ),
        _limits(workflow),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _board(workflow: Workflow) -> str:
    if workflow.board is None:
        return "No board: stages start by comments alone (`/agent <stage>`)."
    field = _code(workflow.column_field)
    return f"Board {_code(str(workflow.board))}, columns of the field {field}."


def _stage(stage: Stage) -> list[str]:
    return [
        _entrance(stage),
        _code(stage.name),
        _code(stage.agent.name) if stage.has_agent else "nobody",
        _prompt(stage.prompt) if stage.has_agent else "",
        stage.result.value,
        _codes(suite.name for suite in stage.tests),
        _codes(review.name for review in stage.reviews),
        _code(stage.next) if stage.next else "stays",
        _code(stage.otherwise) if stage.otherwise else "stays",
        _codes(stage.needs),
        stage.priority.name.lower(),
    ]


def _entrance(stage: Stage) -> str:
    if not stage.column:
        return "by comment only"
    delay = f", after {stage.delay.total_seconds() / 60:g} min" if stage.delay else ""
    return f"{_code(stage.column)}{delay}"


def _prompt(prompt: Prompt) -> str:
    if prompt.builtin is not None:
        return _code(f"builtin:{prompt.builtin.rpartition('/')[2]}")
    return _code(prompt.path) if prompt.path is not None else "inline"


def _agents(workflow: Workflow) -> list[Agent]:
    """Each agent once for each set of limits that a stage leaves it."""
    used = [stage.agent for stage in workflow.stages.values() if stage.has_agent]
    used += [review.agent for review in workflow.reviews.values()]
    return list(dict.fromkeys(used))


def _agent(agent: Agent) -> list[str]:
    program = _PROGRAMS.get(agent.cli) or _code(" ".join(agent.command))
    return [
        _code(agent.name),
        program,
        _code(agent.model) if agent.model else "its default",
        f"{agent.time_limit.total_seconds() / 60:g}",
        "no limit" if agent.turns is None else str(agent.turns),
        "no limit" if agent.usd is None else f"{agent.usd:g}",
        "no limit" if agent.tokens is None else f"{agent.tokens:,}",
        "all" if agent.cli is Cli.COMMAND else _tools(agent.tools),
    ]


def _tools(policy: ToolPolicy) -> str:
    if policy == DEFAULT:
        return "files in its tree, shell"
    lists = {"deny": policy.deny, "ask": policy.ask, "allow": policy.allow}
    told = [f"{what} {_codes(map(str, each))}" for what, each in lists.items() if each]
    return "; ".join([*told, f"otherwise {policy.otherwise.value}"])


def _suite(suite: Suite) -> list[str]:
    return [
        _code(suite.name),
        _code(suite.run),
        _codes(suite.reports),
        f"{suite.time_limit.total_seconds() / 60:g}",
    ]


def _review(review: Review) -> list[str]:
    return [
        _code(review.name),
        _code(review.agent.name),
        _prompt(review.prompt),
        "never" if review.blocks_on is None else review.blocks_on.word,
    ]


def _limits(workflow: Workflow) -> str:
    bots = _codes(sorted(workflow.trusted_bots))
    least = workflow.least_permission.name.lower()
    caps = dict.fromkeys(cap for s in workflow.stages.values() for cap in s.caps)
    lines = [
        "### Limits",
        "",
        f"- At most {workflow.parallel} runs at the same time.",
        f"- Runs are started by people with at least {least} permission.",
        *(
            f"- At most ${cap.usd:g} for {cap.scope.value} (`{cap.key}`)."
            for cap in caps
        ),
    ]
    return "\n".join([*lines, f"- Bots that may, too: {bots}."] if bots else lines)


def _table(heading: str, columns: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        [f"### {heading}", "", *(f"| {' | '.join(line)} |" for line in lines)]
    )


def _codes(words: Iterable[str]) -> str:
    return ", ".join(_code(word) for word in words)


def _code(text: str) -> str:
    """Foreign words in a table's cell, on one line, where no markup works in them."""
    return code(text.replace("|", "\\|"))
