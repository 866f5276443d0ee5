"""The engine's ports over sheets: what a server's database is to a server.

One job has one card, seldom two; everything that has to outlive the job is in the
card's sheet.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from vibeboard.action import sheet as rules
from vibeboard.action.sheet import Reviewed, Sheet, Spent, Tested
from vibeboard.action.shelf import Sheets
from vibeboard.domain.board import CardKey, Wording
from vibeboard.domain.effects import Effect
from vibeboard.domain.evidence import SuiteResult
from vibeboard.domain.gate import Vouch
from vibeboard.domain.preview import Preview, merged
from vibeboard.domain.question import Question
from vibeboard.domain.review import ReviewResult
from vibeboard.domain.run import Cost, Posting, Report, Run, Step
from vibeboard.domain.situation import CardHistory
from vibeboard.domain.tools import ToolCall
from vibeboard.domain.workflow import Review, Scope, Suite
from vibeboard.engine.ports import (
    OWN_HOOK,
    Clock,
    Decision,
    Delivery,
    DeliveryState,
)


class SheetRuns:
    """Satisfies ``Runs``."""

    def __init__(self, sheets: Sheets, clock: Clock, worker: str, steps: Path) -> None:
        """``steps`` is a folder beside the workspaces.

        A step's answer is of use where its files are, and so no longer than the job.
        """
        self._sheets = sheets
        self._clock = clock
        self._worker = worker
        self._steps = steps

    async def get(self, run: str) -> Run:
        """The run as it is; raises KeyError for an unknown id."""
        return (await self._sheets.of_run(run)).run(run)

    async def history(self, card: CardKey) -> CardHistory:
        """All runs of a card and where it was last seen."""
        return (await self._sheets.of(card)).history

    async def asked(self, run: str) -> Wording | None:
        """The issue as it stood when the run was asked for; None if nobody kept it."""
        return (await self._sheets.of_run(run)).asked.get(run)

    async def hold(self, run: Run) -> None:
        """Raise Fenced unless this attempt still has the run."""
        rules.hold(await self._sheets.of(run.card), run)

    async def note(
        self,
        run: str,
        *,
        step: Step | None = None,
        comment: int | None = None,
        session: str | None = None,
    ) -> None:
        """Remember where the run is, its tracking comment, its agent's session."""
        given = {"step": step, "comment": comment, "session": session}
        changes: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        await self._sheets.note(self._sheets.card_of(run), _changed(run, **changes))

    async def answer(self, run: str, step: str) -> Any | None:
        """What a finished step came to; None if it has not finished."""
        return (await asyncio.to_thread(self._read, run)).get(step)

    async def remember(self, run: Run, step: str, answer: Any) -> None:
        """A step has finished; raises Fenced if another attempt has the run."""

        def remembered(sheet: Sheet) -> Sheet:
            found = rules.hold(sheet, run)
            return sheet.with_run(replace(found, tries=0, crashes=0))

        await self._sheets.note(run.card, remembered)
        known = await asyncio.to_thread(self._read, run.id)
        await asyncio.to_thread(self._write, run.id, {**known, step: answer})

    def _read(self, run: str) -> dict[str, Any]:
        try:
            text = (self._steps / f"{run}.json").read_text()
        except FileNotFoundError:
            return {}
        found: dict[str, Any] = json.loads(text)
        return found

    def _write(self, run: str, answers: Mapping[str, Any]) -> None:
        self._steps.mkdir(parents=True, exist_ok=True)
        fresh = self._steps / f"{run}.new"
        fresh.write_text(json.dumps(answers))
        fresh.replace(self._steps / f"{run}.json")  # whole or not at all

    async def spent(self, run: Run, calls: Mapping[str, int]) -> None:
        """Add to the calls on GitHub that the run has made."""

        def added(sheet: Sheet) -> Sheet:
            found = sheet.run(run.id)
            names = {*found.calls, *calls}
            both = {n: found.calls.get(n, 0) + calls.get(n, 0) for n in names}
            return sheet.with_run(replace(found, calls=both))

        await self._sheets.note(run.card, added)

    async def end(self, run: Run, report: Report) -> None:
        """End the run and make its end an event."""
        now = self._clock.now()
        change = partial(
            rules.end, run=run, report=report, worker=self._worker, now=now
        )
        await self._sheets.change(run.card, change)


class SheetRunQueue:
    """Satisfies ``RunQueue`` for one job, which is where its runs are posted."""

    def __init__(self, sheets: Sheets, clock: Clock, posting: Posting) -> None:
        self._sheets = sheets
        self._clock = clock
        self._posting = posting
        self._worker = posting.life

    async def claim(self, most: int) -> Sequence[str]:
        """Take due runs; there is one a card."""
        claimed = []
        for card in self._sheets.cards[:most]:
            now = self._clock.now()
            found = rules.next_run(await self._sheets.of(card), now)
            if found is None:
                continue
            take = partial(rules.take, run=found.id, posting=self._posting, now=now)
            taken = (await self._sheets.change(card, take)).run(found.id)
            if taken.worker == self._worker:
                claimed.append(found.id)
        return claimed

    async def begin(self, run: str) -> Run:
        """Count an attempt, and start the run if it has not; ended ones stay."""
        begin = partial(
            rules.begin, run=run, worker=self._worker, now=self._clock.now()
        )
        return (await self._sheets.change(self._card(run), begin)).run(run)

    async def postpone(self, run: str, after: timedelta, why: str) -> None:
        """Give it back, to be taken again ``after`` a while; counts a try."""
        due_at = self._clock.now() + after

        def postponed(sheet: Sheet) -> Sheet:
            tries = sheet.run(run).tries + 1
            return rules.give_back(
                sheet, run, self._worker, due_at=due_at, tries=tries, waits_for=why
            )

        await self._sheets.change(self._card(run), postponed)

    async def release(self, run: str) -> None:
        """Give it back as if it had not been taken."""
        give_back = partial(rules.give_back, run=run, worker=self._worker)
        await self._sheets.change(self._card(run), give_back)

    async def wait_for_people(self, run: str) -> None:
        """Give it back until its questions are answered, by who starts another job."""
        wait = partial(
            rules.wait_for_people,
            run=run,
            worker=self._worker,
            now=self._clock.now(),
        )
        await self._sheets.change(self._card(run), wait)

    async def give_up(self, run: str, reason: str) -> None:
        """End it as failed, if it is still this job's."""
        give_up = partial(
            rules.give_up,
            run=run,
            reason=reason,
            worker=self._worker,
            now=self._clock.now(),
        )
        await self._sheets.change(self._card(run), give_up)

    async def strays(self, known: Collection[str]) -> int:
        """Give back what is ours, and not among those ``known``; how many."""
        astray = 0
        for card in self._sheets.cards:
            sheet = await self._sheets.of(card)
            for run in sheet.runs:
                if run.worker == self._worker and run.id not in known:
                    await self.release(run.id)
                    astray += 1
        return astray

    async def next_due(self) -> datetime | None:
        """When the first of those that wait for their time is due."""
        now = self._clock.now()
        times = [
            run.due_at
            for sheet in await self._sheets.all()
            for run in sheet.runs
            if not run.ended and run.worker is None and run.due_at and run.due_at > now
        ]
        return min(times, default=None)

    def _card(self, run: str) -> CardKey:
        return self._sheets.card_of(run)


@dataclass
class _Open:
    """A delivery of this job, and the effects that no card owes."""

    delivery: Delivery
    keys: tuple[str, ...] = ()
    decided: bool = False


class SheetDeliveries:
    """Satisfies ``Deliveries``: the job's event, and what its card has to tell."""

    def __init__(self, sheets: Sheets, clock: Clock, worker: str) -> None:
        self._sheets = sheets
        self._clock = clock
        self._worker = worker
        self._open: dict[int, _Open] = {}
        self._cardless: dict[str, Effect] = {}

    async def keep(self, hook: str, guid: str, event: str, body: bytes) -> Delivery:
        """Keep a delivery; the second time gives the first one."""
        for one in self._open.values():
            if (one.delivery.hook, one.delivery.guid) == (hook, guid):
                return one.delivery
        made = Delivery(len(self._open) + 1, hook, guid, event, body)
        self._open[made.id] = _Open(made)
        return made

    async def due(self) -> Sequence[Delivery]:
        """What has to be decided about, oldest first."""
        for sheet in await self._sheets.all():
            for one in sheet.events:
                if one.worker == self._worker:
                    await self.keep(OWN_HOOK, one.guid, one.event, one.body.encode())
        return [one.delivery for one in self._open.values() if not one.decided]

    async def owed(self) -> Sequence[str]:
        """Keys of all effects that are this job's to perform, in order."""
        keys = list(self._cardless)
        for sheet in await self._sheets.all():
            keys += [one.key for one in sheet.owed if one.worker == self._worker]
        return keys

    async def get(self, delivery: int) -> Delivery:
        """The delivery as kept; raises KeyError for an unknown id."""
        return self._open[delivery].delivery

    async def settle(self, delivery: int, decision: Decision) -> None:
        """Write the decision, its runs and effects at once; once."""
        found = self._open[delivery]
        if found.decided:
            return
        card = decision.card or next(
            (key for key in map(_card_of, decision.effects) if key is not None), None
        )
        own = found.delivery.hook == OWN_HOOK
        if card is None and own:
            card = CardKey.parse(_card_named(found.delivery))
        if card is not None:
            guid = found.delivery.guid if own else ""
            await self._sheets.change(card, partial(self._settled, decision, guid))
        else:
            self._cardless |= {effect.key: effect for effect in decision.effects}
        found.keys = tuple(effect.key for effect in decision.effects)
        self.close(delivery)

    def close(self, delivery: int) -> None:
        """Nothing more is decided about it."""
        found = self._open[delivery]
        found.decided = True
        found.delivery = replace(found.delivery, state=DeliveryState.DECIDED)

    def _settled(self, decision: Decision, guid: str, sheet: Sheet) -> Sheet:
        events = tuple(one for one in sheet.events if one.guid != guid)
        return rules.settle(
            replace(sheet, events=events), decision, self._worker, self._clock.now()
        )

    async def effects(self, delivery: int) -> Sequence[str]:
        """Keys of the effects decided for the delivery, in order."""
        return self._open[delivery].keys

    async def pending(self, key: str) -> Effect | None:
        """The effect, unless it was performed or given up already."""
        for card in self._sheets.cards:
            for one in (await self._sheets.of(card)).owed:
                if one.key == key:
                    return one.effect
        return self._cardless.get(key)

    async def performed(self, effect: Effect, *, error: str = "") -> None:
        """Remember that the effect is done, or failed for good."""
        self._cardless.pop(effect.key, None)
        for card in self._sheets.cards:
            if any(o.key == effect.key for o in (await self._sheets.of(card)).owed):
                done = partial(rules.performed, effect=effect, error=error)
                await self._sheets.note(card, done)

    async def release_parked(self, account: str) -> None:
        """Nothing is parked here."""


class SheetQuestions:
    """Satisfies ``Questions``."""

    def __init__(self, sheets: Sheets, clock: Clock, worker: str) -> None:
        self._sheets = sheets
        self._clock = clock
        self._worker = worker

    async def of(self, run: str) -> Sequence[Question]:
        """All questions of a run, oldest first."""
        sheet = await self._sheets.of_run(run)
        return [one for one in sheet.questions if one.run == run]

    async def ask(self, run: Run, call: ToolCall, rule: str) -> Question:
        """Put the call to people, once as long as it is open."""
        asked = partial(
            rules.ask,
            run=run,
            call=call,
            rule=rule,
            worker=self._worker,
            now=self._clock.now(),
        )
        sheet = await self._sheets.change(run.card, asked)
        found = rules.open_question(sheet, run.id, call)
        assert found is not None
        return found

    async def heard(self, question: Question) -> None:
        """The agent was told the answer."""
        heard = partial(rules.heard, question=question.id)
        await self._sheets.note(question.card, heard)


class SheetExpenses:
    """Satisfies ``Expenses``, as far as one card's sheet tells.

    What other cards spent today is not known here; budgets of a day count this card.
    """

    def __init__(self, sheets: Sheets, clock: Clock) -> None:
        self._sheets = sheets
        self._clock = clock

    async def record(
        self, run: Run, *, agent: str, model: str, cost: Cost, part: str = "agent"
    ) -> None:
        """What this attempt's part has used so far; the last word counts."""
        now = self._clock.now()
        spent = Spent(run.id, run.attempt, part, agent, model, run.stage, cost, now)
        await self._sheets.note(run.card, partial(rules.spend, spent=spent))

    async def of_run(self, run: str) -> Cost | None:
        """What all attempts of the run used; None if none has used anything."""
        sheet = await self._sheets.of_run(run)
        parts = [one.cost for one in sheet.spent if one.run == run]
        return sum(parts[1:], parts[0]) if parts else None

    async def of_card(self, card: CardKey) -> float:
        """The US dollars that all runs of the card spent, as far as they are known."""
        return _usd((await self._sheets.of(card)).spent)

    async def under(self, run: Run, scopes: Sequence[Scope]) -> Mapping[Scope, float]:
        """The US dollars that count towards each kind of limit, for this run."""
        spent = (await self._sheets.of(run.card)).spent
        return {scope: _usd(self._within(scope, run, spent)) for scope in scopes}

    def _within(
        self, scope: Scope, run: Run, spent: Sequence[Spent]
    ) -> Sequence[Spent]:
        now = self._clock.now().astimezone(UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if scope in (Scope.DAY, Scope.STAGE_OF_DAY):
            spent = [one for one in spent if one.at >= midnight]
        if scope in (Scope.STAGE_OF_ISSUE, Scope.STAGE_OF_DAY):
            spent = [one for one in spent if one.stage == run.stage]
        return spent


class SheetEvidence:
    """Satisfies ``Evidence``."""

    def __init__(self, sheets: Sheets) -> None:
        self._sheets = sheets

    async def keep(
        self,
        repository: str,
        commit: str,
        suite: Suite,
        result: SuiteResult,
        *,
        run: str,
    ) -> None:
        """Keep what a run found out; what it finds out again takes its place."""
        del repository
        tested = Tested(commit, suite.name, suite.definition, run, result)
        keep = partial(rules.keep_tested, tested=tested)
        await self._sheets.note(self._sheets.card_of(run), keep)

    async def of(
        self, repository: str, commit: str, suite: Suite
    ) -> Sequence[SuiteResult]:
        """All results of the suite, as it is defined now, on a commit; oldest first."""
        del repository
        wanted = (commit, suite.name, suite.definition)
        return [
            one.result
            for sheet in await self._sheets.all()
            for one in sheet.tested
            if (one.commit, one.suite, one.definition) == wanted
        ]


class SheetReviews:
    """Satisfies ``Reviews``."""

    def __init__(self, sheets: Sheets) -> None:
        self._sheets = sheets

    async def keep(
        self,
        repository: str,
        commit: str,
        review: Review,
        result: ReviewResult,
        *,
        run: str,
    ) -> None:
        """Keep what a run found out; what it finds out again takes its place."""
        del repository
        found = Reviewed(commit, review.name, review.definition, run, result)
        keep = partial(rules.keep_reviewed, reviewed=found)
        await self._sheets.note(self._sheets.card_of(run), keep)

    async def of(
        self, repository: str, commit: str, review: Review
    ) -> Sequence[ReviewResult]:
        """All results of the review as it is defined now, oldest first."""
        del repository
        wanted = (commit, review.name, review.definition)
        return [
            one.result
            for sheet in await self._sheets.all()
            for one in sheet.reviewed
            if (one.commit, one.review, one.definition) == wanted
        ]


class SheetVouches:
    """Satisfies ``Vouches``."""

    def __init__(self, sheets: Sheets) -> None:
        self._sheets = sheets

    async def of(self, card: CardKey) -> Sequence[Vouch]:
        """Everything that people vouched for on a card, oldest first."""
        return (await self._sheets.of(card)).vouches


class NoPauses:
    """Satisfies ``Pauses``: to pause jobs, switch their workflow off."""

    async def reason(self, card: CardKey) -> str | None:
        """Never."""
        del card
        return None


class JobLocks:
    """Satisfies ``Locks`` within one job; between jobs, the sheets' versions do."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """Wait until nobody else holds the name, and hold it."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            yield

    @asynccontextmanager
    async def attempt(self, name: str) -> AsyncIterator[bool]:
        """Hold the name if nobody else does; whether it is held."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        if lock.locked():
            yield False
            return
        async with lock:
            yield True

    async def keeps(self, name: str) -> bool:
        """Whether what ``attempt`` took is still held."""
        return name in self._locks and self._locks[name].locked()


class SheetPreviews:
    """Satisfies ``Previews``."""

    def __init__(self, sheets: Sheets) -> None:
        self._sheets = sheets

    async def of(self, card: CardKey) -> Sequence[Preview]:
        """Those of a card that are not gone, by environment."""
        return (await self._sheets.of(card)).previews

    async def keep(self, card: CardKey, found: Sequence[Preview]) -> Sequence[Preview]:
        """Remember what was found; what there is now."""

        def kept(sheet: Sheet) -> Sheet:
            return replace(sheet, previews=merged(sheet.previews, found))

        await self._sheets.note(card, kept)
        return await self.of(card)

    async def card_of(self, repository: str, deployment: int) -> CardKey | None:
        """Nobody knows: of no card but its own has a job the sheet."""
        del repository, deployment
        return None


@dataclass(frozen=True)
class Memory:
    """All of it, for one job; satisfies ``Kept`` of the wiring."""

    deliveries: SheetDeliveries
    runs: SheetRuns
    run_queue: SheetRunQueue
    questions: SheetQuestions
    spending: SheetExpenses
    evidence: SheetEvidence
    reviews: SheetReviews
    vouches: SheetVouches
    previews: SheetPreviews
    pauses: NoPauses
    locks: JobLocks


def remember(sheets: Sheets, clock: Clock, posting: Posting, steps: Path) -> Memory:
    """Open the ports over sheets for the job that ``posting`` tells of."""
    worker = posting.life
    return Memory(
        deliveries=SheetDeliveries(sheets, clock, worker),
        runs=SheetRuns(sheets, clock, worker, steps),
        run_queue=SheetRunQueue(sheets, clock, posting),
        questions=SheetQuestions(sheets, clock, worker),
        spending=SheetExpenses(sheets, clock),
        evidence=SheetEvidence(sheets),
        reviews=SheetReviews(sheets),
        vouches=SheetVouches(sheets),
        previews=SheetPreviews(sheets),
        pauses=NoPauses(),
        locks=JobLocks(),
    )


def _changed(run: str, **changes: Any) -> Callable[[Sheet], Sheet]:
    def change(sheet: Sheet) -> Sheet:
        return sheet.with_run(replace(sheet.run(run), **changes))

    return change


def _card_of(effect: Effect) -> CardKey | None:
    return getattr(effect, "card", None)


def _card_named(delivery: Delivery) -> str:
    """The card that an event of our own names at its end."""
    return delivery.body.decode().rpartition(" ")[2]


def _usd(spent: Sequence[Spent]) -> float:
    return round(sum(one.cost.usd or 0 for one in spent), 6)
