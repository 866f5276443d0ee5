"""``vibeboard queue``, ``dead``, ``workers`` and ``audit``: what an operator sees."""

import asyncio
from datetime import timedelta

import typer

from vibeboard.cli.desk import age, as_dict, at_the_desk, print_json, show
from vibeboard.clock import SystemClock
from vibeboard.domain.markdown import count


def run_queue(*, as_json: bool) -> int:
    """Print what waits or is under way."""
    return asyncio.run(_queue(as_json=as_json))


async def _queue(*, as_json: bool) -> int:
    async with at_the_desk() as desk:
        deliveries = await desk.overview.deliveries()
        runs = await desk.overview.runs()
        pauses = await desk.pauses.all()
        dead = len(await desk.overview.dead())
    if as_json:
        found = {"deliveries": deliveries, "runs": runs, "pauses": pauses}
        print_json(
            {name: [as_dict(row) for row in rows] for name, rows in found.items()}
        )
        return 0
    show(
        "Deliveries",
        ["id", "event", "account", "state", "age", "tries", "crashes", "worker", "why"],
        [
            [
                d.id, d.event, d.account, d.state, age(d.received_at), d.tries or "",
                d.crashes or "", d.worker, d.reason if not d.worker else "",
            ]
            for d in deliveries
        ],
    )  # fmt: skip
    show(
        "Runs",
        [
            "run", "card", "stage", "state", "step", "age", "tries", "crashes",
            "worker", "waits for",
        ],
        [
            [
                r.id, r.card, r.stage, r.state, r.step, age(r.created_at),
                r.tries or "", r.crashes or "", r.worker, r.waits_for,
            ]
            for r in runs
        ],
    )  # fmt: skip
    show(
        "Paused",
        ["scope", "since", "by", "why"],
        [[p.scope, age(p.at), p.by, p.why] for p in pauses],
    )
    waiting = f"{_count(len(deliveries), 'delivery')}, {count(len(runs), 'run')}"
    hint = f"; {dead} given up: vibeboard dead" if dead else ""
    typer.echo(f"{waiting}{hint}")
    return 0


def run_dead(*, as_json: bool) -> int:
    """Print what was given up, with the reason."""
    return asyncio.run(_dead(as_json=as_json))


async def _dead(*, as_json: bool) -> int:
    async with at_the_desk() as desk:
        dead = await desk.overview.dead()
    if as_json:
        print_json([as_dict(letter) for letter in dead])
        return 0
    show(
        "Given up",
        ["id", "event", "effect", "account", "age", "reason"],
        [
            [d.id, d.event, d.effect, d.account, age(d.at) if d.at else "", d.reason]
            for d in dead
        ],
    )
    hint = "; again with: vibeboard retry ID" if dead else ""
    typer.echo(f"{len(dead) or 'nothing'} given up{hint}")
    return 0


def run_workers(*, as_json: bool) -> int:
    """Print the processes that take work."""
    return asyncio.run(_workers(as_json=as_json))


async def _workers(*, as_json: bool) -> int:
    async with at_the_desk() as desk:
        workers = await desk.overview.workers()
        beats = not desk.database.is_sqlite
    if as_json:
        print_json([as_dict(worker) for worker in workers])
        return 0
    show(
        "Workers",
        ["name", "life", "up", "last sign", "deliveries", "runs"],
        [
            [
                w.name, w.life, age(w.started_at), age(w.beat_at) if beats else "",
                w.deliveries, w.runs,
            ]
            for w in workers
        ],
    )  # fmt: skip
    typer.echo(count(len(workers), "worker"))
    return 0


def run_audit(subject: str, *, most: int, as_json: bool) -> int:
    """Print who did what, newest first."""
    return asyncio.run(_audit(subject, most=most, as_json=as_json))


async def _audit(subject: str, *, most: int, as_json: bool) -> int:
    async with at_the_desk() as desk:
        lines = await desk.audit.of(subject, most=most)
    if as_json:
        print_json([as_dict(line) for line in lines])
        return 0
    show(
        "Audit",
        ["at (UTC)", "who", "what", "of", "detail", "delivery"],
        [
            [f"{e.at:%Y-%m-%d %H:%M:%S}", e.actor, e.action, e.subject, e.detail,
             e.delivery]
            for e in lines
        ],
    )  # fmt: skip
    if not lines:
        typer.echo(f"nothing about {subject}" if subject else "nothing yet")
    return 0


def run_costs(by: str, *, days: int, repository: str, as_json: bool) -> int:
    """Print what runs spent."""
    return asyncio.run(_costs(by, days, repository, as_json=as_json))


async def _costs(by: str, days: int, repository: str, *, as_json: bool) -> int:
    since = SystemClock().now() - timedelta(days=days)
    async with at_the_desk() as desk:
        bills = await desk.spending.bills(by, since, repository=repository or None)
    if as_json:
        print_json([as_dict(bill) for bill in bills])
        return 0
    show(
        f"Costs by {by}",
        [by, "runs", "USD", "tokens in", "cached", "tokens out", "without a price"],
        [
            [
                bill.name, bill.runs, _usd(bill.cost.usd), bill.cost.input_tokens or "",
                bill.cost.cached_tokens or "", bill.cost.output_tokens or "",
                bill.unpriced or "",
            ]
            for bill in bills
        ],
    )  # fmt: skip
    total = sum(bill.cost.usd or 0.0 for bill in bills)
    typer.echo(f"{_usd(total)} in {count(days, 'day')}" if bills else "nothing spent")
    return 0


def _usd(amount: float | None) -> str:
    return "" if amount is None else f"{amount:.2f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun[:-1]}ies"
