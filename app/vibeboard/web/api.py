"""``/api/…``: runs for programs of the operator's, and answers to agents' questions."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vibeboard.domain.board import CardKey
from vibeboard.domain.gate import Requirement
from vibeboard.domain.preview import Preview
from vibeboard.domain.question import Question
from vibeboard.domain.run import Run
from vibeboard.engine.ports import StepEnded
from vibeboard.errors import (
    AppAbsent,
    GitHubRefused,
    RetryLater,
    StoreUnavailable,
    UserError,
)
from vibeboard.web.access import Access
from vibeboard.web.answers import run_answer

Gates = Mapping[str, Sequence[Requirement]]
Answer = Callable[[str, "Said"], Awaitable[bool]]
_WORDS = {"": False, "false": False, "true": True}


class Said(BaseModel):
    """An answer to an agent's question."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )

    allow: bool
    """Whether the agent may."""

    note: str = Field(default="", max_length=2_000)
    """What the agent is told with it, such as what to do instead."""

    for_run: bool = False
    """Whether leave holds until the run ends for its like, not only once."""


class Api:
    """Answers programs that may ask."""

    def __init__(
        self,
        access: Access,
        *,
        run: Callable[[str], Awaitable[Run]],
        steps: Callable[[str], Awaitable[Sequence[StepEnded]]],
        questions: Callable[[str], Awaitable[Sequence[Question]]],
        previews: Callable[[CardKey], Awaitable[Sequence[Preview]]],
        gates: Callable[[CardKey], Awaitable[Gates]],
        answering: Access,
        answer: Answer,
    ) -> None:
        """``run`` and ``answer`` raise KeyError for what is not there.

        ``answer`` says whether nobody had answered before. Who may is ``answering``.
        """
        self._access = access
        self._questions = questions
        self._previews = previews
        self._answering = answering
        self._answer = answer
        self._run = run
        self._steps = steps
        self._gates = gates

    async def receive(self, request: web.Request) -> web.Response:
        """One run."""
        refusal = self._access.refusal(request)
        if refusal is not None:
            return refusal
        wanted = _WORDS.get(request.query.get("gates", ""))
        if wanted is None:
            return _no(400, "`gates` must be true or false")
        name = request.match_info["run"]
        try:
            run = await self._run(name)
            gates = await self._gates(run.card) if wanted else None
            steps, questions = await self._steps(run.id), await self._questions(run.id)
            previews = await self._previews(run.card)
            answer = run_answer(run, steps, questions, previews, gates)
        except KeyError:
            return _no(404, f"there is no run {name[:40]!r}")
        except StoreUnavailable:
            return _no(503, "the database cannot be asked now")
        except (RetryLater, AppAbsent, UserError, GitHubRefused) as why:
            return _no(503, f"GitHub cannot be asked for the gates now: {why}")
        return web.Response(
            text=answer.model_dump_json(), content_type="application/json"
        )

    async def receive_answer(self, request: web.Request) -> web.Response:
        """What somebody says to an agent's question."""
        refusal = self._answering.refusal(request)
        if refusal is not None:
            return refusal
        question = request.match_info["question"]
        try:
            said = Said.model_validate_json(await request.read())
            was_open = await self._answer(question, said)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "the body"
            return _no(400, f"{place}: {first['msg']}")
        except KeyError:
            return _no(404, f"no agent asked {question[:40]!r}")
        except StoreUnavailable:
            return _no(503, "the database cannot be asked now")
        if not was_open:
            return _no(409, f"{question} was answered before")
        return web.json_response({"question": question, "allowed": said.allow})


def _no(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status)
