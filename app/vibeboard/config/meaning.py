"""What a file of the right shape means: its names resolved, its contradictions told."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from vibeboard.config.document import Document, Key
from vibeboard.config.models import Agent as AgentModel
from vibeboard.config.models import Gate as GateModel
from vibeboard.config.models import Stage as StageModel
from vibeboard.config.models import Suite as SuiteModel
from vibeboard.config.models import VibeYml
from vibeboard.config.paths import FILES, fault_of_glob, fault_of_path
from vibeboard.config.presets import builtin_names
from vibeboard.config.shape import MOST_FAULTS, nearest
from vibeboard.domain.board import BoardKey, Permission
from vibeboard.domain.commands import RESERVED
from vibeboard.domain.evidence import FlakyPolicy
from vibeboard.domain.workflow import (
    Agent,
    Cli,
    Gate,
    Priority,
    Prompt,
    Result,
    Stage,
    Suite,
    Workflow,
)

if TYPE_CHECKING:
    from vibeboard.errors import Fault

DEFAULT_AGENT = Agent("claude", Cli.CLAUDE_CODE)
DEFAULT_RESULT = {"refine": Result.ISSUE, "review": Result.REPORT}
DEFAULT_PROMPT = {
    Result.ISSUE: "refine",
    Result.BRANCH: "develop",
    Result.REPORT: "review",
}

_BUILTIN = "builtin:"


class Reader:
    """Makes the workflow out of the model, and gathers faults on the way."""

    def __init__(self, document: Document, model: VibeYml) -> None:
        self._document = document
        self._model = model
        self.faults: list[Fault] = []

    def workflow(self, *, owner: str, commit: str) -> Workflow:
        """The workflow; worth something only if there are no ``faults``."""
        model = self._model
        agents = {name: self._agent(name, a) for name, a in model.agents.items()}
        suites = {name: self._suite(name, s) for name, s in model.tests.items()}
        self._check_names()
        self._check_columns()
        self._check_circles()
        return Workflow(
            board=self._board(owner),
            column_field=model.board.field if model.board else "Status",
            stages={
                name: self._stage(name, stage, agents, suites)
                for name, stage in model.stages.items()
            },
            suites=suites,
            parallel=model.limits.parallel,
            least_permission=Permission[model.commands.role.upper()],
            trusted_bots=frozenset(model.commands.bots),
            commit=commit,
        )

    def _complain(
        self, location: tuple[Key, ...], message: str, *, at_key: bool = False
    ) -> None:
        self.faults.append(self._document.fault(location, message, at_key=at_key))

    def _board(self, owner: str) -> BoardKey | None:
        if self._model.board is None:
            return None
        named, _, number = self._model.board.project.rpartition("/")
        return BoardKey(named or owner, int(number))

    def _agent(self, name: str, agent: AgentModel) -> Agent:
        place = ("agents", name)
        is_command = agent.cli == "command"
        if is_command and agent.command is None:
            self._complain(
                place, "`cli: command` needs a `command` to run", at_key=True
            )
        if agent.command is not None and not is_command:
            message = "`command` belongs to `cli: command`"
            self._complain((*place, "command"), message, at_key=True)
        return Agent(
            name=name,
            cli=Cli.COMMAND if is_command else Cli.CLAUDE_CODE,
            command=self._arguments((*place, "command"), agent.command or []),
            model=agent.model,
            time_limit=timedelta(minutes=agent.limits.minutes),
            turns=agent.limits.turns,
            usd=agent.limits.usd,
        )

    def _arguments(self, place: tuple[Key, ...], command: list[str]) -> tuple[str, ...]:
        if len(command) != 1:
            return tuple(command)
        try:
            arguments = tuple(shlex.split(command[0], comments=True))
        except ValueError as error:
            self._complain(place, f"not a command line: {error}")
            return ()
        if not arguments:
            self._complain(place, "must name a program")
        return arguments

    def _suite(self, name: str, suite: SuiteModel) -> Suite:
        for index, glob in enumerate(suite.report):
            fault = fault_of_glob(glob)
            if fault is not None:
                self._complain(("tests", name, "report", index), fault)
        self._check_coverage(name, suite)
        return Suite(
            name=name,
            run=suite.run,
            reports=tuple(suite.report),
            time_limit=timedelta(minutes=suite.minutes),
            env=tuple(suite.env.items()),
            retries=suite.retries,
            flaky=FlakyPolicy(suite.flaky),
            baseline=suite.baseline,
            coverage=suite.coverage,
            coverage_at_least=suite.coverage_at_least,
            coverage_drop=suite.coverage_drop,
        )

    def _check_coverage(self, name: str, suite: SuiteModel) -> None:
        place = ("tests", name)
        if suite.coverage is not None:
            fault = fault_of_glob(suite.coverage)
            if fault is not None:
                self._complain((*place, "coverage"), fault)
        for key in ("coverage_at_least", "coverage_drop"):
            if getattr(suite, key) is not None and suite.coverage is None:
                message = f"`{key}` needs `coverage`, the report to read it from"
                self._complain((*place, key), message, at_key=True)
        if suite.coverage_drop is not None and not suite.baseline:
            message = "`coverage_drop` needs the `baseline` to compare with"
            self._complain((*place, "coverage_drop"), message, at_key=True)

    def _gate(
        self, place: tuple[Key, ...], gate: GateModel, suites: Mapping[str, Suite]
    ) -> Gate:
        self._check_known((*place, "tests"), gate.tests, suites, "suite")
        return Gate(
            tests=tuple(suites[each] for each in gate.tests if each in suites),
            approvals=gate.approvals,
            criteria=gate.criteria,
            up_to_date=gate.up_to_date,
            merged=gate.merged,
        )

    def _stage(
        self,
        name: str,
        stage: StageModel,
        agents: Mapping[str, Agent],
        suites: Mapping[str, Suite],
    ) -> Stage:
        place = ("stages", name)
        self._check_known((*place, "needs"), stage.needs, self._model.stages, "stage")
        self._check_known((*place, "tests"), stage.tests, suites, "suite")
        default = DEFAULT_RESULT.get(name, Result.BRANCH)
        if stage.gate is not None and _only_gate(stage):
            default = Result.NOTHING
        result = Result(stage.result) if stage.result else default
        gate = None
        if stage.gate is not None:
            gate = self._gate((*place, "gate"), stage.gate, suites)
        if gate is not None and stage.column is None:
            message = "a gate stands before a column; name the `column`"
            self._complain((*place, "gate"), message, at_key=True)
        return Stage(
            name=name,
            column=stage.column,
            gate=gate,
            agent=self._agent_of(place, stage, agents, result),
            prompt=self._prompt(name, stage, result),
            result=result,
            needs=tuple(stage.needs),
            tests=tuple(suites[each] for each in stage.tests if each in suites),
            next=stage.next,
            otherwise=stage.otherwise,
            priority=Priority[stage.priority.upper()],
            delay=timedelta(minutes=stage.delay),
            fix_checks=stage.fix_checks,
        )

    def _agent_of(
        self,
        place: tuple[Key, ...],
        stage: StageModel,
        agents: Mapping[str, Agent],
        result: Result,
    ) -> Agent:
        known = agents or {DEFAULT_AGENT.name: DEFAULT_AGENT}
        if stage.agent is not None:
            self._check_known((*place, "agent"), [stage.agent], known, "agent")
            return known.get(stage.agent, DEFAULT_AGENT)
        if len(known) > 1 and result is not Result.NOTHING:
            names = ", ".join(known)
            message = f"there are several agents ({names}); say which `agent` works"
            self._complain(place, message, at_key=True)
        return next(iter(known.values()))

    def _prompt(self, name: str, stage: StageModel, result: Result) -> Prompt:
        if result is Result.NOTHING:
            return Prompt()
        if stage.prompt is None:
            own = name in builtin_names()
            return Prompt(builtin=name if own else DEFAULT_PROMPT[result])
        place = ("stages", name, "prompt")
        text = stage.prompt.strip()
        if text.startswith(_BUILTIN):
            builtin = text.removeprefix(_BUILTIN).strip()
            if builtin not in builtin_names():
                ours = ", ".join(_BUILTIN + each for each in builtin_names())
                near = nearest(builtin, builtin_names())
                self._complain(place, f"no prompt of ours; there are {ours}{near}")
            return Prompt(builtin=builtin)
        if len(text.split()) > 1:
            return Prompt(text=text)
        fault = fault_of_path(text)
        if fault is None and not text.endswith(FILES):
            fault = (
                "one word is no prompt: write a file that ends in .md or .txt, "
                "builtin:<name>, or what the agent is to do"
            )
        if fault is not None:
            self._complain(place, fault)
        return Prompt(path=text)

    def _check_known(
        self,
        place: tuple[Key, ...],
        names: Iterable[str],
        known: Iterable[str],
        what: str,
    ) -> None:
        known = tuple(known)
        in_list = place[-1] != "agent"
        for index, name in enumerate(names):
            if name not in known and len(self.faults) < MOST_FAULTS:
                where = (*place, index) if in_list else place
                self._complain(where, f"no {what} {name!r}{nearest(name, known)}")

    def _check_names(self) -> None:
        seen: dict[str, str] = {}
        for name in self._model.stages:
            place = ("stages", name)
            folded = name.casefold()
            if folded in RESERVED:
                message = f"`/agent {folded}` is a command; name the stage otherwise"
                self._complain(place, message, at_key=True)
            if folded in seen:
                message = f"the stage {seen[folded]!r} has this name already"
                self._complain(place, message, at_key=True)
            seen.setdefault(folded, name)

    def _check_columns(self) -> None:
        seen: dict[str, str] = {}
        for name, column in _columns(self._model.stages):
            if column in seen:
                message = f"the stage {seen[column]!r} has this column already"
                self._complain(("stages", name, "column"), message)
            seen.setdefault(column, name)

    def _check_circles(self) -> None:
        """Chains that never end: `needs` in a circle, `next` in a circle."""
        stages = self._model.stages
        of_column = {column: name for name, column in _columns(stages)}
        needs = {name: stage.needs for name, stage in stages.items()}
        following = {
            name: [of_column[stage.next.casefold()]]
            for name, stage in stages.items()
            if stage.next is not None and stage.next.casefold() in of_column
        }
        for circle in _circles(needs):
            message = f"these stages need each other: {' → '.join(circle)}"
            self._complain(("stages", circle[0], "needs"), message)
        for circle in _circles(following):
            message = "leads back into the stage's own column"
            if len(circle) > 2:  # noqa: PLR2004 - more than the stage and itself
                message = f"leads the card in a circle: {' → '.join(circle)}"
            self._complain(("stages", circle[0], "next"), message)


_WORK = frozenset({"agent", "prompt", "result", "tests", "reviews", "next"})


def _only_gate(stage: StageModel) -> bool:
    """Whether nothing in a stage speaks of an agent that works."""
    return not stage.model_fields_set & _WORK


def _columns(stages: Mapping[str, StageModel]) -> Iterator[tuple[str, str]]:
    for name, stage in stages.items():
        if stage.column is not None:
            yield name, stage.column.casefold()


def _circles(edges: Mapping[str, list[str]]) -> Iterator[list[str]]:
    """One circle for each group of names that lead to each other."""
    told: set[str] = set()
    for start in edges:
        circle = _way_back(start, edges)
        if circle and not told & set(circle):
            told |= set(circle)
            yield circle


def _way_back(start: str, edges: Mapping[str, list[str]]) -> list[str] | None:
    """The shortest way from ``start`` to itself."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:
        for following in edges.get(way[-1], ()):
            if following == start:
                return [*way, start]
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return None
