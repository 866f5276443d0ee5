"""The whole shape of `.vibe.yml`: every key, its meaning and its bounds.

Here is what a file may say, including what this version does not carry out yet.
Where it says it (line and column) is ``document.py``'s, what it means together is
``meaning.py``'s. Descriptions become the JSON Schema and the reference page.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,39}$"
ONE_LINE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
NOT_BLANK = r"^[^\x00]*[^\s\x00][^\x00]*$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,99}$"
BOARD = r"^([A-Za-z0-9][A-Za-z0-9_-]{0,63}/)?[1-9][0-9]{0,8}$"

MOST_MINUTES = 1440
MOST_ENTRIES = 50


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _written(value: Any) -> Any:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else value


Name = Annotated[str, StringConstraints(pattern=NAME)]
Variable = Annotated[str, StringConstraints(pattern=VARIABLE)]
OneLine = Annotated[
    str, StringConstraints(pattern=ONE_LINE, max_length=200, strip_whitespace=True)
]
Text = Annotated[str, StringConstraints(pattern=NOT_BLANK)]
Path = Annotated[str, StringConstraints(pattern=ONE_LINE, max_length=400)]
_T = TypeVar("_T")
Some = Annotated[list[_T], Field(min_length=1, max_length=MOST_ENTRIES)]
Named = Annotated[dict[Name, _T], Field(max_length=MOST_ENTRIES)]
Names = Annotated[list[Name], Field(max_length=MOST_ENTRIES)]
Lines = Annotated[list[OneLine], Field(max_length=MOST_ENTRIES)]
Number = Annotated[int, Field(ge=1, le=999_999_999)]
BoardName = Annotated[str, StringConstraints(pattern=BOARD)]
Minutes = Annotated[float, Field(ge=0.01, le=MOST_MINUTES, allow_inf_nan=False)]
Usd = Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]
Tokens = Annotated[int, Field(ge=1_000, le=1_000_000_000)]
BlocksOn = Literal["critical", "major", "minor", "note", "never"]
Where = Literal["own", "actions"]


class Part(BaseModel):
    """A part of the file: unknown keys are refused, and nothing is converted."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


class Board(Part):
    """The GitHub project whose columns start stages."""

    project: Annotated[
        str,
        StringConstraints(pattern=BOARD),
        BeforeValidator(_written, json_schema_input_type=Number | BoardName),
    ]
    """The project's number, or `owner/number` if another account owns it. Without an
    owner it is the repository's owner."""

    field: OneLine = "Status"
    """The single-select field whose options are the columns."""

    cost_field: OneLine | None = None
    """A number field that gets the US dollars spent on the card so far, for people who
    look at the board."""


class AgentLimits(Part):
    """What one run of an agent may use."""

    minutes: Minutes = 45
    """Wall-clock minutes; then the agent is stopped and its work is saved."""

    turns: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """The most turns the agent may take, where its program can count them."""

    usd: Usd | None = None
    """The most US dollars the agent may spend, where its program can count them or the
    model's price is known."""

    tokens: Tokens | None = None
    """The most tokens the agent may use, in and out together, where its program can
    count them."""


class StageLimits(Part):
    """What runs of a stage may use; of its agent's limits, the lower one counts."""

    minutes: Minutes | None = None
    """Wall-clock minutes of one run."""

    turns: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """The most turns of one run."""

    usd: Usd | None = None
    """The most US dollars of one run."""

    tokens: Tokens | None = None
    """The most tokens of one run."""

    usd_per_issue: Usd | None = None
    """The most US dollars all runs of this stage may spend on one issue."""

    usd_per_day: Usd | None = None
    """The most US dollars all runs of this stage may spend on one day (UTC)."""


class Tools(Part):
    """Which tool calls an agent makes on its own, and which a person answers."""

    allow: Lines = Field(default_factory=list)
    """Tool calls that need no question, such as `Read` or `Bash(git status*)`. A
    command line is allowed if every command in it is."""

    ask: Lines = Field(default_factory=list)
    """Tool calls that wait for a person; this goes before `allow`."""

    deny: Lines = Field(default_factory=list)
    """Tool calls that are refused; this goes before all else."""

    otherwise: Literal["allow", "ask", "deny"] = "ask"
    """What happens to a tool call that no rule names."""


class Agent(Part):
    """A coding agent: which program it is, and what it may do and use."""

    cli: Literal["claude-code", "codex", "acp", "command"] = "claude-code"
    """The kind of program. `acp` is any that speaks the Agent Client Protocol, and
    `command` any that reads the prompt from its standard input and works in the
    current directory."""

    command: (
        Annotated[
            Some[Text],
            BeforeValidator(_listed, json_schema_input_type=Text | Some[Text]),
        ]
        | None
    ) = None
    """The program and its arguments, for `cli: command` and `cli: acp`: one line as in
    a shell (without its expansions), or a list."""

    model: OneLine | None = None
    """The model, by the name the program knows; its own default if left out."""

    limits: AgentLimits = Field(default_factory=AgentLimits)
    """What one run may use."""

    tools: Tools | None = None
    """Rules for tool calls. Left out, an agent may read, edit files in its tree and use
    the shell, and nothing else."""

    network: Lines = Field(default_factory=list)
    """Hosts that the agent may reach besides the model's, by their names
    (`example.org`), or `*.` and a domain for all below it. Only the ports 443 and 80,
    and no address of a private network. Left out, it reaches none."""


class Gate(Part):
    """What must be true of a card before it may stand in a column."""

    tests: Names = Field(default_factory=list)
    """Suites that must be green for the pull request's head commit."""

    reviews: Names = Field(default_factory=list)
    """Reviews that specialists must have made of the pull request's head commit, with
    nothing found that blocks; or that a person passed over with `/agent approve
    <review> <reason>`."""

    approvals: Annotated[int, Field(ge=0, le=100)] = 0
    """How many people must have approved the pull request's head commit, by a review
    or by `/agent approve <sha>`. Whoever asked for the work does not count."""

    criteria: bool = False
    """Whether each acceptance criterion must be proved by tests that passed, or be
    accepted by a person with `/agent approve AC<number> <reason>`."""

    up_to_date: bool = False
    """Whether the pull request must have all commits of its base branch."""

    merged: bool = False
    """Whether the pull request must have been merged."""


class Stage(Part):
    """What happens to a card in a column."""

    column: OneLine | None = None
    """The column that starts the stage; names compare without case. Without one, only
    `/agent <stage>` starts it."""

    needs: Names = Field(default_factory=list)
    """Stages that must have succeeded on the card before."""

    agent: Name | None = None
    """The agent that works; may be left out if there is only one."""

    prompt: Text | None = None
    """What the agent is told: a file of the repository (`.vibe/prompts/refine.md`; one
    word ending in `.md` or `.txt`), the text itself, or one of ours (`builtin:refine`).
    Left out, it is ours of the stage's name, or `builtin:develop`."""

    result: Literal["issue", "branch", "report", "evidence"] | None = None
    """What the stage leaves behind: `issue`, a spec with numbered acceptance criteria
    in the issue; `branch`, a draft pull request; `report`, words on the tracking
    comment; `evidence`, what its tests and reviews say of the branch as it is: no
    agent changes anything. Left out, it is `issue` for a stage named `refine`, `report`
    for one named `review`, and `branch` for every other."""

    tests: Names = Field(default_factory=list)
    """Suites that run after the agent and must be green for the stage to succeed."""

    reviews: Names = Field(default_factory=list)
    """Specialists that look at the commit in parallel, once its tests are green, and
    must find nothing that blocks for the stage to succeed. Each is one of `reviews`, or
    one of ours by its name."""

    next: OneLine | None = None
    """The column the card moves to when the stage succeeds; it stays if left out."""

    otherwise: OneLine | None = None
    """The column the card moves to when the stage does not succeed; it stays if left
    out."""

    priority: Literal["low", "normal", "high"] = "normal"
    """Whose runs go first when more wait than may work at the same time."""

    delay: Annotated[float, Field(ge=0, le=MOST_MINUTES, allow_inf_nan=False)] = 0
    """Minutes between a move or a review and the run that it starts: a card that is
    moved on meanwhile starts nothing, and remarks that follow each other become one
    run. A command starts it at once."""

    fix_checks: Annotated[int, Field(ge=0, le=20)] = 0
    """How often in a row the agent is sent back when checks of others fail on the
    newest commit of the pull request, once all of them have ended."""

    gate: Gate | None = None
    """What must be true before a card may stand in this column. A stage that has a
    gate and says nothing of an agent, a prompt, a result or tests starts no agent."""

    limits: StageLimits = Field(default_factory=StageLimits)
    """What runs of this stage may use, besides the limits of the agent and of the
    repository."""

    runner: Where | None = None
    """Where this stage's runs are carried out, if not where all others are."""


class Suite(Part):
    """A test suite: a command, and the JUnit XML it leaves as evidence."""

    run: Text
    """The shell command, run at the top of the repository."""

    report: Annotated[
        Some[Path],
        BeforeValidator(_listed, json_schema_input_type=Path | Some[Path]),
    ]
    """Where the command leaves JUnit XML: a path or glob inside the repository, or a
    list of them."""

    minutes: Minutes = 30
    """Wall-clock minutes; a suite that takes longer proves nothing."""

    env: Annotated[dict[Variable, str], Field(max_length=MOST_ENTRIES)] = Field(
        default_factory=dict
    )
    """Environment variables of the command. Nothing secret: everybody who can read the
    repository can read them."""

    retries: Annotated[int, Field(ge=0, le=5)] = 0
    """How often a suite that failed is run again on the same commit. What then passes
    is told as flaky."""

    flaky: Literal["pass", "fail"] = "pass"
    """What a test that both failed and passed on the same commit does to the suite."""

    baseline: bool = True
    """Whether the suite runs on the base commit, too, once for each of those, so that
    what fails newly can be told from what failed before."""

    network: Lines = Field(default_factory=list)
    """Hosts that the command may reach, as with agents. Left out, it reaches none but
    itself."""

    coverage: Path | None = None
    """Where the command leaves a coverage report: Cobertura XML or lcov."""

    coverage_at_least: Annotated[float, Field(ge=0, le=100)] | None = None
    """The least line coverage, in per cent."""

    coverage_drop: Annotated[float, Field(ge=0, le=100)] | None = None
    """By how many points the line coverage may be lower than on the base commit; 0 for
    not at all. It needs the `baseline`."""


class Review(Part):
    """A specialist who looks at a commit in a checkout of its own."""

    agent: Name | None = None
    """The agent that reviews; may be left out if there is only one."""

    prompt: Text | None = None
    """What the specialist looks for: a file of the repository, the text itself, or one
    of ours (`builtin:security`). Left out, it is ours of the review's name."""

    blocks_on: BlocksOn = "critical"
    """The least severe finding that keeps the card from moving on; `never`: findings
    are told and block nothing."""


class Preview(Part):
    """A running copy of the change to look at."""

    run: Text
    """The shell command that serves the preview at `$PORT`."""

    ready: OneLine = "/"
    """The path that answers once the preview is ready."""


class Limits(Part):
    """What the whole repository may use."""

    parallel: Annotated[int, Field(ge=1, le=100)] = 3
    """How many runs may work at the same time."""

    usd_per_issue: Usd | None = None
    """The most US dollars all runs of one issue may spend. A run that reaches a limit
    ends with its work saved, and no other starts before the limit is raised."""

    usd_per_day: Usd | None = None
    """The most US dollars all runs of one day may spend. Days begin at 00:00 UTC."""


class Commands(Part):
    """Who may start runs, by moving a card or by a comment."""

    role: Literal["triage", "write", "maintain", "admin"] = "write"
    """The least permission on the repository that may start a run."""

    bots: Lines = Field(default_factory=list)
    """Bot accounts (such as `renovate[bot]`) that may, too; all others are ignored.
    List a program even if its account looks like a person's: loops of bots are cut."""


class VibeYml(Part):
    """What a team wants to happen to the cards of its board.

    The file is `.vibe.yml` at the top of the repository. It is read from the default
    branch when something happens, never from a pull request's branch.
    """

    version: Literal[1]
    """The version of this format."""

    board: Board | None = None
    """The board; left out, the team works by comments alone."""

    agents: Named[Agent] = Field(default_factory=dict)
    """The agents by name; left out, there is one: `claude`, which is Claude Code."""

    stages: Annotated[dict[Name, Stage], Field(min_length=1, max_length=MOST_ENTRIES)]
    """The stages by name, in the order a card goes through them."""

    tests: Named[Suite] = Field(default_factory=dict)
    """The test suites by name."""

    reviews: Named[Review] = Field(default_factory=dict)
    """Specialists by name."""

    preview: Preview | None = None
    """The preview environment of each card."""

    runner: Where = "own"
    """Where runs are carried out: on the server's own runners, or on GitHub Actions."""

    sandbox: Literal["required"] | None = None
    """`required`: agents and suites only run in a full sandbox, also on a server that
    would do with less."""

    limits: Limits = Field(default_factory=Limits)
    """What all runs of the repository may use together."""

    commands: Commands = Field(default_factory=Commands)
    """Who may start runs."""

    protected: Annotated[list[Path], Field(max_length=MOST_ENTRIES)] = Field(
        default_factory=list
    )
    """Files that an agent may change only if a person approves the commit: paths and
    globs such as `infra/**` or `**/*.lock`. Workflows, actions, CODEOWNERS, `.vibe.yml`
    and the settings of agents are always among them."""
