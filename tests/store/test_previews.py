"""What is remembered of previews, on both databases."""

from dataclasses import replace
from datetime import timedelta

from tests.conftest import HandClock
from vibeboard.domain.board import CardKey
from vibeboard.domain.preview import Preview, PreviewState
from vibeboard.store.database import Database
from vibeboard.store.maintenance import SqlArchive
from vibeboard.store.previews import SqlPreviews

CARD, OTHER = CardKey("acme/clock", 7), CardKey("acme/clock", 8)
READY = Preview(2**40, "preview", "c0ffee", PreviewState.READY, "https://a.example.org")
DOCS = replace(READY, id=5, environment="docs", log="https://ci.example.org")


async def test_previews_of_a_card_come_and_go(
    database: Database, clock: HandClock
) -> None:
    previews = SqlPreviews(database.engine, clock)

    assert await previews.keep(CARD, [READY]) == (READY,)
    assert await previews.keep(CARD, [DOCS]) == (DOCS, READY)
    await previews.keep(OTHER, [replace(READY, id=9)])

    assert await previews.of(CARD) == (DOCS, READY)
    assert await previews.keep(CARD, []) == (DOCS, READY)
    gone = replace(READY, state=PreviewState.GONE)
    assert await previews.keep(CARD, [gone]) == (DOCS,)
    assert await previews.keep(CARD, [replace(DOCS, state=PreviewState.GONE)]) == ()
    assert await previews.of(CARD) == ()
    assert len(await previews.of(OTHER)) == 1


async def test_a_deployment_tells_its_card_until_it_is_forgotten(
    database: Database, clock: HandClock
) -> None:
    previews = SqlPreviews(database.engine, clock)
    await previews.keep(CARD, [READY])

    assert await previews.card_of("acme/clock", READY.id) == CARD
    assert await previews.card_of("acme/watch", READY.id) is None
    assert await previews.card_of("acme/clock", 1) is None

    archive = SqlArchive(database)
    await archive.forget_results(clock.at)
    assert await previews.card_of("acme/clock", READY.id) == CARD
    await archive.forget_results(clock.at + timedelta(seconds=1))
    assert await previews.card_of("acme/clock", READY.id) is None
