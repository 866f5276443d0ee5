"""``vibeboard retry``, ``stop``, ``pause`` and ``resume``: what an operator orders."""

import asyncio
import re
from collections.abc import Sequence

import typer

from vibeboard.cli.desk import at_the_desk, operator
from vibeboard.domain.run import ENDED
from vibeboard.errors import UserError

_SCOPE = re.compile(r"\*|[A-Za-z0-9_-]+(/[A-Za-z0-9._-]+(#[0-9]+)?)?")


def run_retry(ids: Sequence[int], *, everything: bool) -> int:
    """Make dead letters due again; 1 if some of ``ids`` were none."""
    if bool(ids) == everything:
        raise UserError("say which: vibeboard retry ID…, or vibeboard retry --all")
    return asyncio.run(_retry(ids, everything=everything))


async def _retry(ids: Sequence[int], *, everything: bool) -> int:
    async with at_the_desk() as desk:
        retried = await desk.orders.retry(None if everything else ids)
    typer.echo(f"due again: {', '.join(map(str, retried)) or 'nothing'}")
    others = sorted(set(ids) - set(retried))
    if others:
        typer.echo(f"not given up: {', '.join(map(str, others))}", err=True)
    return 1 if others else 0


def run_stop(run: str, *, why: str) -> int:
    """Ask a run to stop; 1 if it had ended."""
    return asyncio.run(_stop(run, why=why))


async def _stop(run: str, *, why: str) -> int:
    async with at_the_desk() as desk:
        try:
            before = await desk.orders.stop(run, why=f"the operator asked: {why}")
        except KeyError:
            message = f"there is no run {run}; `vibeboard queue` lists those there are"
            raise UserError(message) from None
    if before in ENDED:
        typer.echo(f"{run} has ended: {before.value}", err=True)
        return 1
    typer.echo(f"{run} was {before.value} and is asked to stop")
    return 0


def run_answer(question: str, *, allowed: bool, note: str, for_run: bool) -> int:
    """Answer an agent's question; 1 if somebody has before."""
    return asyncio.run(_answer(question, allowed=allowed, note=note, for_run=for_run))


async def _answer(question: str, *, allowed: bool, note: str, for_run: bool) -> int:
    async with at_the_desk() as desk:
        try:
            was_open = await desk.orders.answer(
                question, allowed=allowed, note=note, for_run=for_run
            )
        except KeyError:
            message = f"no agent asked {question}; `vibeboard queue` shows who waits"
            raise UserError(message) from None
    if not was_open:
        typer.echo(f"{question} was answered before", err=True)
        return 1
    typer.echo(f"{question} is {'allowed' if allowed else 'refused'}")
    return 0


def run_pause(scope: str, *, why: str) -> int:
    """Start no run there until it is resumed."""
    return asyncio.run(_pause(_checked(scope), why=why))


async def _pause(scope: str, *, why: str) -> int:
    async with at_the_desk() as desk:
        await desk.pauses.pause(scope, why=why, by=operator())
    typer.echo(f"no run starts {_where(scope)}; those under way go on")
    return 0


def run_resume(scope: str) -> int:
    """Let runs start there again; 1 if they could."""
    return asyncio.run(_resume(_checked(scope)))


async def _resume(scope: str) -> int:
    async with at_the_desk() as desk:
        was_paused = await desk.pauses.resume(scope, by=operator())
        left = await desk.pauses.all()
    if was_paused:
        typer.echo(f"runs start {_where(scope)} again")
    else:
        typer.echo(f"{scope} was not paused", err=True)
    if left:
        paused = ", ".join(pause.scope for pause in left)
        typer.echo(f"still paused: {paused}", err=not was_paused)
    return 0 if was_paused else 1


def _checked(scope: str) -> str:
    if _SCOPE.fullmatch(scope) is None:
        message = (
            f"{scope!r} is no scope: write '*' for everything, OWNER, OWNER/REPOSITORY "
            "or OWNER/REPOSITORY#NUMBER"
        )
        raise UserError(message)
    return scope


def _where(scope: str) -> str:
    return "anywhere" if scope == "*" else f"in {scope}"
