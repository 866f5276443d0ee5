from dataclasses import replace
from datetime import timedelta

from tests.conftest import HandClock
from vibeboard.domain.board import CardKey
from vibeboard.domain.effects import VouchFor
from vibeboard.domain.evidence import CaseResult, Coverage, Outcome, SuiteResult
from vibeboard.domain.gate import Vouch
from vibeboard.domain.review import Finding, ReviewResult, Severity
from vibeboard.domain.workflow import Agent, Cli, Prompt, Review, Suite
from vibeboard.store import vouches
from vibeboard.store.database import Database
from vibeboard.store.maintenance import SqlArchive
from vibeboard.store.results import SqlEvidence, SqlReviews
from vibeboard.store.vouches import SqlVouches

UNIT = Suite("unit", "pytest", ("r.xml",))
WHOLE = SuiteResult(
    "unit",
    tuple(CaseResult(f"t{n}", Outcome.PASSED, 0.5, "m" * 40) for n in range(200)),
    exit_code=0,
    seconds=2.5,
    coverage=Coverage(10, 8),
    shortfalls=("too little",),
)
RED = replace(WHOLE, cases=(CaseResult("t", Outcome.FAILED),), exit_code=1)
HEAD = "a" * 40


async def test_a_result_is_kept_whole(database: Database, clock: HandClock) -> None:
    evidence = SqlEvidence(database.engine, clock)

    await evidence.keep("acme/clock", HEAD, UNIT, WHOLE, run="r1")

    assert await evidence.of("acme/clock", HEAD, UNIT) == [WHOLE]


async def test_each_run_has_its_own_and_the_oldest_comes_first(
    database: Database, clock: HandClock
) -> None:
    evidence = SqlEvidence(database.engine, clock)

    for run, result in (("r1", RED), ("r2", WHOLE), ("r2", RED), ("r3", WHOLE)):
        await evidence.keep("acme/clock", HEAD, UNIT, result, run=run)

    assert await evidence.of("acme/clock", HEAD, UNIT) == [RED, RED, WHOLE]


async def test_what_another_command_gave_is_no_evidence(
    database: Database, clock: HandClock
) -> None:
    evidence = SqlEvidence(database.engine, clock)
    await evidence.keep("acme/clock", HEAD, UNIT, WHOLE, run="r1")

    for other in (
        replace(UNIT, run="true"),
        replace(UNIT, reports=("other.xml",)),
        replace(UNIT, env=(("A", "1"),)),
        replace(UNIT, name="e2e"),
    ):
        assert await evidence.of("acme/clock", HEAD, other) == []
    assert await evidence.of("acme/clock", "b" * 40, UNIT) == []
    assert await evidence.of("acme/other", HEAD, UNIT) == []


SECURITY = Review("security", Agent("a", Cli.COMMAND), Prompt(text="look"))
SEEN = ReviewResult("security", (Finding(Severity.MAJOR, "It leaks", "So.", "x", 3),))


async def test_a_review_is_kept_for_its_commit_and_definition(
    database: Database, clock: HandClock
) -> None:
    reviews = SqlReviews(database.engine, clock)
    silent = ReviewResult("security", fault="the agent failed")

    for run, result in (("r1", silent), ("r2", silent), ("r2", SEEN)):
        await reviews.keep("acme/clock", HEAD, SECURITY, result, run=run)

    assert await reviews.of("acme/clock", HEAD, SECURITY) == [silent, SEEN]
    for other in (
        replace(SECURITY, prompt=Prompt(text="look away")),
        replace(SECURITY, agent=Agent("a", Cli.CLAUDE_CODE)),
        replace(SECURITY, name="ux"),
    ):
        assert await reviews.of("acme/clock", HEAD, other) == []
    assert await reviews.of("acme/clock", "b" * 40, SECURITY) == []
    assert await reviews.of("acme/other", HEAD, SECURITY) == []


async def test_old_reviews_go(database: Database, clock: HandClock) -> None:
    reviews, archive = SqlReviews(database.engine, clock), SqlArchive(database)
    await reviews.keep("acme/clock", HEAD, SECURITY, SEEN, run="r1")
    clock.at += timedelta(days=2)

    assert await archive.forget_results(clock.now() - timedelta(days=1)) == 1
    assert await reviews.of("acme/clock", HEAD, SECURITY) == []


async def test_old_results_go(database: Database, clock: HandClock) -> None:
    evidence, archive = SqlEvidence(database.engine, clock), SqlArchive(database)
    await evidence.keep("acme/clock", HEAD, UNIT, RED, run="r1")
    clock.at += timedelta(days=2)
    await evidence.keep("acme/clock", HEAD, UNIT, WHOLE, run="r2")

    assert await archive.forget_results(clock.now() - timedelta(days=1)) == 1
    assert await evidence.of("acme/clock", HEAD, UNIT) == [WHOLE]


async def test_a_word_is_kept_for_its_card(
    database: Database, clock: HandClock
) -> None:
    card = CardKey("acme/clock", 7)
    async with database.engine.begin() as connection:
        for by, subject in (("bob", HEAD), ("carol", "AC1")):
            said = VouchFor(card, subject, by, "seen", cause=by)
            await vouches.write(connection, said, clock.now())

    kept = SqlVouches(database.engine)
    assert await kept.of(card) == [
        Vouch(HEAD, "bob", "seen"),
        Vouch("AC1", "carol", "seen"),
    ]
    assert await kept.of(CardKey("acme/clock", 8)) == []
