"""Ports over HTTP: what may be called from another machine, and how it is written.

A ``Port`` is a part of one of the engine's protocols. Its codecs are made of the
annotations there, so that both ends know the same words. Errors cross as data and
are raised as what they were. Who may call what about which run is ``guard.py``'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from inspect import Parameter, signature
from typing import Any, Generic, Protocol, TypeVar, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from vibeboard import errors
from vibeboard.domain.board import Permission
from vibeboard.engine.meter import Meter
from vibeboard.engine.ports import (
    Cards,
    Checks,
    Evidence,
    Expenses,
    LentRuns,
    Pulls,
    Questions,
    Remote,
    Repositories,
    Reviews,
    Runs,
    SourceFile,
    Tracker,
)

Json = Any
P = TypeVar("P")


class Call(Protocol):
    """Carries a call to the other end, and its answer back as it was written."""

    async def __call__(
        self, port: str, method: str, arguments: Mapping[str, Json]
    ) -> Json:
        """The answer; raises RetryLater if the other end cannot be had."""
        ...


class Malformed(errors.Broken):
    """A call or an answer that this version does not understand."""


class Method:
    """One method of a port: its arguments and its answer as JSON, and back."""

    def __init__(
        self, port: str, protocol: type, name: str, only: tuple[str, ...]
    ) -> None:
        """``only`` are the arguments that may be given; all of them, if empty."""
        self.name = name
        self._where = f"{port}.{name}"
        self._protocol = protocol
        self._only = only

    @cached_property
    def _types(self) -> Mapping[str, TypeAdapter[Any]]:
        hints = get_type_hints(getattr(self._protocol, self.name))
        return {name: TypeAdapter(hint) for name, hint in hints.items()}

    @cached_property
    def _parameters(self) -> Mapping[str, Parameter]:
        every = signature(getattr(self._protocol, self.name)).parameters
        names = self._only or tuple(name for name in every if name != "self")
        return {name: every[name] for name in names}

    def dump(self, given: tuple[Any, ...], named: Mapping[str, Any]) -> Json:
        """A call's arguments as JSON values."""
        every = signature(getattr(self._protocol, self.name))
        bound = every.bind(None, *given, **named).arguments
        bound.pop("self")
        return {
            name: self._types[name].dump_python(value, mode="json")
            for name, value in bound.items()
            if not self._is_left_out(name, value)
        }

    def _is_left_out(self, name: str, value: Any) -> bool:
        if name in self._parameters:
            return False
        every = signature(getattr(self._protocol, self.name)).parameters
        if value == every[name].default:
            return True
        message = f"{self._where} takes no {name} from another machine"
        raise Malformed(message)

    def load(self, arguments: Json) -> dict[str, Any]:
        """A call's arguments; raises Malformed, naming what cannot be read."""
        if not isinstance(arguments, dict):
            message = f"{self._where}: the arguments are no JSON object"
            raise Malformed(message)
        strange = arguments.keys() - self._parameters.keys()
        missing = {
            name
            for name, parameter in self._parameters.items()
            if parameter.default is Parameter.empty and name not in arguments
        }
        if strange or missing:
            named = ", ".join(sorted(str(name)[:40] for name in strange or missing))
            fault = "does not take" if strange else "needs"
            message = f"{self._where} {fault} {named}"
            raise Malformed(message)
        return {
            name: self._read(name, value, f"{self._where}: {name}")
            for name, value in arguments.items()
        }

    def dump_answer(self, answer: Any) -> Json:
        """An answer as JSON values."""
        return self._types["return"].dump_python(answer, mode="json")

    def load_answer(self, answer: Json) -> Any:
        """An answer; raises Malformed if it cannot be read."""
        return self._read("return", answer, f"{self._where} answered")

    def _read(self, name: str, value: Json, where: str) -> Any:
        try:
            return self._types[name].validate_python(value)
        except ValidationError as error:
            raise Malformed(f"{where}: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    # Only the place is told: the value may be anybody's secret.
    first = error.errors(include_url=False, include_input=False)[0]
    return " ".join((*map(str, first["loc"]), first["type"]))


class Port(Generic[P]):
    """A part of a protocol that may be called from another machine."""

    def __init__(
        self, name: str, protocol: type, **methods: tuple[str, ...] | None
    ) -> None:
        """Each method with the arguments it takes; all of them, if that is None."""
        self.name = name
        self.methods = {
            method: Method(name, protocol, method, only or ())
            for method, only in methods.items()
        }

    def remote(self, call: Call) -> P:
        """What speaks to the other end, and is as good as the port itself."""
        return cast("P", _Proxy(self.name, self.methods, call))


class _Proxy:
    """Has a port's methods, each of them a call."""

    def __init__(self, name: str, methods: Mapping[str, Method], call: Call) -> None:
        for method in methods.values():
            setattr(self, method.name, _calling(name, method, call))


def _calling(port: str, method: Method, call: Call) -> Any:
    async def calling(*given: Any, **named: Any) -> Any:
        answer = await call(port, method.name, method.dump(given, named))
        if isinstance(answer, dict) and "made" in answer:
            return method.load_answer(answer["made"])
        raise load_error(answer.get("error") if isinstance(answer, dict) else None)

    return calling


# --- Repositories -------------------------------------------------------------


@dataclass(frozen=True)
class Address:
    """Where a repository is cloned from; no credential is in it.

    ``us`` is who the App is there: whose name stands on commits.
    """

    url: str
    default_branch: str
    us: str = ""


class LentRepositories(Protocol):
    """``Repositories``, with tokens asked for one by one."""

    async def file(
        self, repository: str, path: str, *, ref: str | None = None
    ) -> SourceFile | None:
        """As ``Repositories`` says."""
        ...

    async def permission(self, repository: str, login: str) -> Permission:
        """As ``Repositories`` says."""
        ...

    async def address(self, repository: str) -> Address:
        """Where it is."""
        ...

    async def token(self, repository: str, *, approved: bool = False) -> str:
        """A token that can write to it, and to nothing else, as ``Remote`` says."""
        ...


class HomeRepositories:
    """Satisfies ``LentRepositories`` where the repositories' tokens are."""

    def __init__(self, repositories: Repositories, us: str = "") -> None:
        self.file = repositories.file
        self.permission = repositories.permission
        self._repositories = repositories
        self._us = us

    async def address(self, repository: str) -> Address:
        """Where it is."""
        remote = await self._repositories.remote(repository)
        return Address(remote.url, remote.default_branch, self._us)

    async def token(self, repository: str, *, approved: bool = False) -> str:
        """A token that can write to it, and to nothing else."""
        remote = await self._repositories.remote(repository, approved=approved)
        return await remote.credential()


class FarRepositories:
    """Satisfies ``Repositories`` elsewhere, for one repository."""

    def __init__(self, lent: LentRepositories, repository: str) -> None:
        self.file = lent.file
        self.permission = lent.permission
        self._lent = lent
        self._repository = repository

    async def remote(self, repository: str, *, approved: bool = False) -> Remote:
        """Where it is, and tokens that are asked for right before each use."""
        address = await self._lent.address(repository)

        async def credential() -> str:
            return await self._lent.token(repository, approved=approved)

        return Remote(address.url, credential, address.default_branch)

    async def installed(self) -> tuple[str, ...]:
        """The one that there is from here."""
        return (self._repository,)


# --- The table ----------------------------------------------------------------

RUNS: Port[Runs] = Port(
    "runs",
    Runs,
    get=None,
    history=None,
    asked=None,
    hold=None,
    # Whose comment is the run's own, nobody else has to say.
    note=("run", "step", "session"),
    answer=None,
    remember=None,
    spent=None,
    end=None,
)
QUEUE: Port[LentRuns] = Port(
    "queue",
    LentRuns,
    begin=None,
    beat=None,
    stop=None,
    postpone=None,
    release=None,
    wait_for_people=None,
    give_up=None,
)
REPOSITORIES: Port[LentRepositories] = Port(
    "repositories",
    LentRepositories,
    file=None,
    permission=None,
    address=None,
    token=None,
)
CARDS: Port[Cards] = Port(
    "cards", Cards, read=("card",), comments=None, write_body=None
)
PULLS: Port[Pulls] = Port(
    "pulls", Pulls, of_branch=None, read=None, ensure=None, thread=None
)
CHECKS: Port[Checks] = Port("checks", Checks, put=None)
QUESTIONS: Port[Questions] = Port("questions", Questions, of=None, ask=None, heard=None)
EXPENSES: Port[Expenses] = Port(
    "expenses", Expenses, record=None, of_run=None, of_card=None, under=None
)
EVIDENCE: Port[Evidence] = Port("evidence", Evidence, keep=None, of=None)
REVIEWS: Port[Reviews] = Port("reviews", Reviews, keep=None, of=None)
TRACKER: Port[Tracker] = Port("tracker", Tracker, post=None, show=None)
METER: Port[Meter] = Port("meter", Meter, agent_starts=None)

PORTS: Mapping[str, Port[Any]] = {
    port.name: port
    for port in (
        RUNS,
        QUEUE,
        REPOSITORIES,
        CARDS,
        PULLS,
        CHECKS,
        QUESTIONS,
        EXPENSES,
        EVIDENCE,
        REVIEWS,
        TRACKER,
        METER,
    )
}


# --- Errors -------------------------------------------------------------------

_PLAIN: tuple[type[errors.VibeboardError], ...] = (
    errors.NotSupportedYet,
    errors.WorkspaceRefused,
    errors.PushRefused,
    errors.ReportUnreadable,
    errors.UserError,
    errors.PeopleAsked,
    errors.Fenced,
)
_LATER = (
    errors.GitHubUnavailable,
    errors.RateLimited,
    errors.StoreUnavailable,
    errors.RetryLater,
)
_PLAIN_BY_NAME = {kind.__name__: kind for kind in _PLAIN}
_LATER_BY_NAME = {kind.__name__: kind for kind in _LATER}
_UNKNOWN = "Unknown"  # a KeyError: what was asked for is not there


def dump_error(error: Exception) -> Json:
    """An error as JSON values. What was not raised on purpose keeps its words."""
    told: dict[str, Json] = {"message": str(error)}
    match error:
        case errors.RetryLater():
            kind = next(one for one in _LATER if isinstance(error, one))
            return {
                **told,
                "kind": kind.__name__,
                "after": error.after.total_seconds(),
            }
        case errors.AppAbsent():
            return {**told, "kind": "AppAbsent", "account": error.account}
        case errors.GitHubRefused():
            return {**told, "kind": "GitHubRefused", "status": error.status_code}
        case KeyError():
            return {"kind": _UNKNOWN, "message": str(error.args[0])}
        case errors.UserError() | errors.PeopleAsked() | errors.Fenced():
            kinds = (one for one in _PLAIN if isinstance(error, one))
            return {**told, "kind": next(kinds).__name__}
        case errors.Broken():
            return {**told, "kind": "Broken"}
        case _:
            message = f"the server failed ({type(error).__name__}); its log says more"
            return {"kind": "Broken", "message": message}


@dataclass(frozen=True)
class _Told:
    """An error as it crosses."""

    kind: str
    message: str
    after: float = 0
    account: str = ""
    status: int = 0


_TOLD = TypeAdapter(_Told)


def load_error(value: Json) -> Exception:
    """The error to raise; Malformed for what is none."""
    try:
        told = _TOLD.validate_python(value)
    except ValidationError as error:
        return Malformed(f"an answer that is none: {_first(error)}")
    if told.kind in _LATER_BY_NAME:
        after = timedelta(seconds=min(max(told.after, 0.0), _LONGEST))
        return _LATER_BY_NAME[told.kind](told.message, after=after)
    if told.kind in _PLAIN_BY_NAME:
        return _PLAIN_BY_NAME[told.kind](told.message)
    if told.kind == "AppAbsent":
        return errors.AppAbsent(told.account, told.message)
    if told.kind == "GitHubRefused":
        return errors.GitHubRefused(told.message, status_code=told.status)
    if told.kind == _UNKNOWN:
        return KeyError(told.message)
    return errors.Broken(told.message)


_LONGEST = 86_400.0  # seconds
