"""What a file of the right shape means: its names resolved, its contradictions told."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from vibeboard.config.document import Document, Key
from vibeboard.config.models import MOST_MINUTES, Limits, StageLimits, VibeYml
from vibeboard.config.models import Agent as AgentModel
from vibeboard.config.models import Gate as GateModel
from vibeboard.config.models import Review as ReviewModel
from vibeboard.config.models import Stage as StageModel
from vibeboard.config.models import Suite as SuiteModel
from vibeboard.config.models import Tools as ToolsModel
from vibeboard.config.paths import FILES, fault_of_glob, fault_of_host, fault_of_path
from vibeboard.config.presets import builtin_names, review_key, review_names
from vibeboard.config.shape import MOST_FAULTS, nearest
from vibeboard.domain.board import BoardKey, Permission
from vibeboard.domain.commands import RESERVED
from vibeboard.domain.contract import criterion_number
from vibeboard.domain.evidence import FlakyPolicy
from vibeboard.domain.review import Severity
from vibeboard.domain.tools import DEFAULT, Rule, ToolPolicy, Verdict, rule_of
from vibeboard.domain.workflow import (
    REVIEWS,
    VERIFY,
    Agent,
    Cap,
    Cli,
    Gate,
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
_NOBODY_WORKS = (Result.NOTHING, Result.EVIDENCE)


@dataclass(frozen=True)
class Ours:
    """Prompts of ours for one purpose, and what each is known by elsewhere."""

    names: tuple[str, ...]
    key: Callable[[str], str]


OF_STAGES = Ours(builtin_names(), str)
OF_REVIEWS = Ours(review_names(), review_key)
_N = TypeVar("_N", int, float)


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
        reviews = self._reviews(agents)
        self._check_names()
        self._check_columns()
        self._check_circles()
        self._check_protected()
        return Workflow(
            board=self._board(owner),
            column_field=model.board.field if model.board else "Status",
            stages={
                name: self._stage(name, stage, agents, suites, reviews)
                for name, stage in model.stages.items()
            },
            suites=suites,
            reviews=reviews,
            parallel=model.limits.parallel,
            least_permission=Permission[model.commands.role.upper()],
            trusted_bots=frozenset(model.commands.bots),
            commit=commit,
            cost_field=model.board.cost_field if model.board else None,
            runner=Runner(model.runner),
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
        cli = Cli(agent.cli)
        named = cli in (Cli.COMMAND, Cli.ACP)
        if named and agent.command is None:
            message = f"`cli: {agent.cli}` needs a `command` to run"
            self._complain(place, message, at_key=True)
        if agent.command is not None and not named:
            message = "`command` belongs to `cli: command` and `cli: acp`"
            self._complain((*place, "command"), message, at_key=True)
        if agent.tools is not None and cli is Cli.COMMAND:
            message = "a `cli: command` has no tools that it could ask for"
            self._complain((*place, "tools"), message, at_key=True)
        return Agent(
            name=name,
            cli=cli,
            command=self._arguments((*place, "command"), agent.command or []),
            model=agent.model,
            time_limit=timedelta(minutes=agent.limits.minutes),
            turns=agent.limits.turns,
            usd=agent.limits.usd,
            network=self._hosts((*place, "network"), agent.network),
            sandbox_required=self._boxed,
            tokens=agent.limits.tokens,
            tools=self._tools((*place, "tools"), agent.tools),
        )

    @property
    def _boxed(self) -> bool:
        return self._model.sandbox == "required"

    def _hosts(self, place: tuple[Key, ...], hosts: list[str]) -> tuple[str, ...]:
        for index, host in enumerate(hosts):
            fault = fault_of_host(host)
            if fault is not None:
                self._complain((*place, index), fault)
        return tuple(host.casefold() for host in hosts)

    def _tools(self, place: tuple[Key, ...], tools: ToolsModel | None) -> ToolPolicy:
        if tools is None:
            return DEFAULT
        return ToolPolicy(
            allow=self._rules((*place, "allow"), tools.allow),
            ask=self._rules((*place, "ask"), tools.ask),
            deny=self._rules((*place, "deny"), tools.deny),
            otherwise=Verdict(tools.otherwise),
        )

    def _rules(self, place: tuple[Key, ...], texts: list[str]) -> tuple[Rule, ...]:
        rules = []
        for index, text in enumerate(texts):
            try:
                rules.append(rule_of(text))
            except ValueError as error:
                self._complain((*place, index), str(error))
        return tuple(rules)

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
            network=self._hosts(("tests", name, "network"), suite.network),
            sandbox_required=self._boxed,
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

    def _reviews(self, agents: Mapping[str, Agent]) -> dict[str, Review]:
        """The specialists of the file, and ours that some stage names."""
        found = {
            name: self._review(("reviews", name), name, review, agents)
            for name, review in self._model.reviews.items()
        }
        for stage, model in self._model.stages.items():
            lists: list[tuple[tuple[Key, ...], list[str]]]
            lists = [(("reviews",), model.reviews)]
            if model.gate is not None:
                lists.append((("gate", "reviews"), model.gate.reviews))
            for keys, names in lists:
                for index, name in enumerate(names):
                    if name in review_names() and name not in found:
                        place = ("stages", stage, *keys, index)
                        found[name] = self._review(place, name, ReviewModel(), agents)
        return found

    def _review(
        self,
        place: tuple[Key, ...],
        name: str,
        review: ReviewModel,
        agents: Mapping[str, Agent],
    ) -> Review:
        if criterion_number(name) is not None:
            message = f"`/agent approve {name}` means a criterion; name it otherwise"
            self._complain(place, message, at_key=True)
        if review.prompt is None and name not in review_names():
            ours = ", ".join(review_names())
            message = f"say what to look for, as `prompt`; only {ours} are ours"
            self._complain(place, message, at_key=True)
        severity = review.blocks_on
        return Review(
            name=name,
            agent=self._one_of(place, review.agent, agents),
            prompt=self._prompt_of((*place, "prompt"), review.prompt, name, OF_REVIEWS),
            blocks_on=None if severity == "never" else Severity[severity.upper()],
        )

    def _gate(
        self,
        place: tuple[Key, ...],
        gate: GateModel,
        suites: Mapping[str, Suite],
        reviews: Mapping[str, Review],
    ) -> Gate:
        self._check_known((*place, "tests"), gate.tests, suites, "suite")
        self._check_known((*place, "reviews"), gate.reviews, reviews, "review")
        return Gate(
            tests=tuple(suites[each] for each in gate.tests if each in suites),
            reviews=tuple(reviews[each] for each in gate.reviews if each in reviews),
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
        reviews: Mapping[str, Review],
    ) -> Stage:
        place = ("stages", name)
        self._check_known((*place, "needs"), stage.needs, self._model.stages, "stage")
        self._check_known((*place, "tests"), stage.tests, suites, "suite")
        self._check_known((*place, "reviews"), stage.reviews, reviews, "review")
        default = DEFAULT_RESULT.get(name, Result.BRANCH)
        if stage.gate is not None and _only_gate(stage):
            default = Result.NOTHING
        result = Result(stage.result) if stage.result else default
        gate = None
        if stage.gate is not None:
            gate = self._gate((*place, "gate"), stage.gate, suites, reviews)
        if gate is not None and stage.column is None:
            message = "a gate stands before a column; name the `column`"
            self._complain((*place, "gate"), message, at_key=True)
        if result is Result.EVIDENCE:
            self._check_evidence(place, stage)
        return Stage(
            name=name,
            column=stage.column,
            gate=gate,
            agent=_limited(self._agent_of(place, stage, agents, result), stage.limits),
            prompt=self._prompt(name, stage, result),
            result=result,
            needs=tuple(stage.needs),
            tests=tuple(suites[each] for each in stage.tests if each in suites),
            reviews=tuple(reviews[each] for each in stage.reviews if each in reviews),
            next=stage.next,
            otherwise=stage.otherwise,
            priority=Priority[stage.priority.upper()],
            delay=timedelta(minutes=stage.delay),
            fix_checks=stage.fix_checks,
            caps=tuple(_caps(name, stage.limits, self._model.limits)),
            protected=tuple(self._model.protected),
            runner=Runner(stage.runner or self._model.runner),
        )

    def _check_evidence(self, place: tuple[Key, ...], stage: StageModel) -> None:
        for key in ("agent", "prompt", "fix_checks"):
            if getattr(stage, key):
                message = f"no agent works in a stage of `result: evidence`: no `{key}`"
                self._complain((*place, key), message, at_key=True)
        if not stage.tests and not stage.reviews:
            message = "`result: evidence` needs `tests` or `reviews`"
            self._complain((*place, "result"), message)

    def _agent_of(
        self,
        place: tuple[Key, ...],
        stage: StageModel,
        agents: Mapping[str, Agent],
        result: Result,
    ) -> Agent:
        if stage.agent is None and result in _NOBODY_WORKS:
            return next(iter(agents.values()), DEFAULT_AGENT)
        return self._one_of(place, stage.agent, agents)

    def _one_of(
        self, place: tuple[Key, ...], name: str | None, agents: Mapping[str, Agent]
    ) -> Agent:
        usual = replace(DEFAULT_AGENT, sandbox_required=self._boxed)
        known = agents or {usual.name: usual}
        if name is not None:
            self._check_known((*place, "agent"), [name], known, "agent")
            return known.get(name, DEFAULT_AGENT)
        if len(known) > 1:
            names = ", ".join(known)
            message = f"there are several agents ({names}); say which `agent` works"
            self._complain(place, message, at_key=True)
        return next(iter(known.values()))

    def _prompt(self, name: str, stage: StageModel, result: Result) -> Prompt:
        if result in _NOBODY_WORKS:
            return Prompt()
        own = name if name in builtin_names() else DEFAULT_PROMPT[result]
        place = ("stages", name, "prompt")
        return self._prompt_of(place, stage.prompt, own, OF_STAGES)

    def _prompt_of(
        self, place: tuple[Key, ...], prompt: str | None, own: str, ours: Ours
    ) -> Prompt:
        """What a prompt says of its place; ``own`` is ours if it says nothing."""
        if prompt is None:
            return Prompt(builtin=ours.key(own))
        text = prompt.strip()
        if text.startswith(_BUILTIN):
            builtin = text.removeprefix(_BUILTIN).strip()
            if builtin not in ours.names:
                there = ", ".join(_BUILTIN + each for each in ours.names)
                near = nearest(builtin, ours.names)
                self._complain(place, f"no prompt of ours; there are {there}{near}")
            return Prompt(builtin=ours.key(builtin))
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
            if folded in (VERIFY, REVIEWS):
                message = f"runs of gates are called {folded!r}; name it otherwise"
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

    def _check_protected(self) -> None:
        for index, glob in enumerate(self._model.protected):
            # A folder's files are protected by `folder/**`.
            fault = fault_of_glob(glob.removesuffix("/**") or glob)
            if fault is not None:
                self._complain(("protected", index), fault)

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


def _limited(agent: Agent, limits: StageLimits) -> Agent:
    """The agent with what a stage leaves it; the lower limit counts."""
    minutes = timedelta(minutes=limits.minutes or MOST_MINUTES)
    return replace(
        agent,
        time_limit=min(agent.time_limit, minutes),
        turns=_lower(agent.turns, limits.turns),
        usd=_lower(agent.usd, limits.usd),
        tokens=_lower(agent.tokens, limits.tokens),
    )


def _lower(one: _N | None, other: _N | None) -> _N | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)


def _caps(stage: str, own: StageLimits, limits: Limits) -> Iterator[Cap]:
    """What runs of a stage may spend together with others."""
    key = f"stages.{stage}.limits"
    for scope, usd, name in (
        (Scope.STAGE_OF_ISSUE, own.usd_per_issue, f"{key}.usd_per_issue"),
        (Scope.ISSUE, limits.usd_per_issue, "limits.usd_per_issue"),
        (Scope.STAGE_OF_DAY, own.usd_per_day, f"{key}.usd_per_day"),
        (Scope.DAY, limits.usd_per_day, "limits.usd_per_day"),
    ):
        if usd is not None:
            yield Cap(scope, usd, name)


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
