"""What the door takes in, what it sends away, and that it never breaks."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator

import pytest

from tests.web.door import (
    NEXT_SECRET,
    SECRET,
    Door,
    head,
    headers_of,
    opened,
    read_answer,
    sign,
)
from vibeboard.config.schema import json_schema
from vibeboard.errors import MalformedDelivery
from vibeboard.github.translate import translate
from vibeboard.store import migrate
from vibeboard.store.database import Database, open_database

BODY = b'{"action": "closed"}'
LARGEST = 25 * 1024 * 1024


@pytest.fixture
async def store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    folder = tmp_path_factory.mktemp("store")
    database = open_database(f"sqlite:///{folder}/vibeboard.db")
    migrate.upgrade(database)
    yield database
    await database.close()


@pytest.fixture(params=["short way", "as usual", "through aiohttp"])
async def door(
    store: Database, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> AsyncIterator[Door]:
    """A served webhook that logs no error in any test, by each way in."""
    long_way = request.param == "through aiohttp"
    async with opened(store, deadline=1.0, through_aiohttp=long_way) as served:
        if request.param == "as usual":
            await served.come_to_know()
        yield served
    broken = [
        record
        for record in caplog.get_records("call")
        if record.levelno >= logging.ERROR
    ]
    assert not broken, broken


# --- Signatures -----------------------------------------------------------------


async def test_both_secrets_are_good_while_one_replaces_the_other(door: Door) -> None:
    for secret in (SECRET, NEXT_SECRET):
        answer = await door.send(BODY, headers_of(BODY, signature=sign(BODY, secret)))
        assert answer.status == 202
        assert answer.json["kept"] == "new"

    assert [row.body for row in await door.rows()] == [BODY, BODY]


_GOOD = sign(BODY)


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param("", id="empty"),
        pytest.param("sha256=", id="only the prefix"),
        pytest.param(_GOOD[:-1], id="one digit short"),
        pytest.param(_GOOD + "0", id="one digit long"),
        pytest.param(_GOOD[:-1] + ("0" if _GOOD[-1] != "0" else "1"), id="one changed"),
        pytest.param(_GOOD.upper(), id="in capitals"),
        pytest.param("sha256=é".encode(), id="letters beyond ASCII"),
        pytest.param(b"sha256=\xff\xfe\x80", id="bytes that are no text"),
        pytest.param("sha512=" + "0" * 128, id="another algorithm"),
        pytest.param(f"{_GOOD}, {_GOOD}", id="two in one"),
        pytest.param(sign(BODY, b"the removed secret"), id="a removed secret"),
        pytest.param(sign(BODY, b""), id="the empty secret"),
        pytest.param(sign(BODY + b" "), id="of another body"),
        pytest.param("x" * 7000, id="thousands of letters"),
    ],
)
async def test_another_signature_is_sent_away(
    door: Door, signature: str | bytes
) -> None:
    answer = await door.send(BODY, headers_of(BODY, signature=signature))

    assert answer.status == 401
    assert answer.json == {"error": "the signature does not fit the body"}
    assert await door.rows() == []


async def test_without_a_signature_or_with_the_old_one_alone_nothing_is_kept(
    door: Door,
) -> None:
    bare = headers_of(BODY, without=["X-Hub-Signature-256"])
    old = [*bare, ("X-Hub-Signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59")]

    for headers in (bare, old):
        assert (await door.send(BODY, headers)).status == 401
    assert await door.rows() == []


# --- Sizes ----------------------------------------------------------------------


async def test_a_delivery_just_below_githubs_largest_is_kept_byte_for_byte(
    door: Door,
) -> None:
    body = b'{"filler": "' + b"x" * (LARGEST - 14) + b'"}'
    assert len(body) == LARGEST

    answer = await door.send(body)

    assert answer.status == 202
    (row,) = await door.rows()
    assert row.body == body


async def test_a_delivery_in_chunks_is_kept_byte_for_byte(door: Door) -> None:
    body = b'{"filler": "' + b"y" * 3_000_000 + b'"}'
    small = b'{"a": 1}'

    assert (await door.send(body, chunked=65_536)).status == 202
    assert (await door.send(small, chunked=1)).status == 202
    assert [row.body for row in await door.rows()] == [body, small]


async def test_a_larger_one_is_refused_by_what_it_announces_or_by_what_comes(
    door: Door,
) -> None:
    body = b"z" * (LARGEST + 1)
    headers = headers_of(b"", signature=sign(body))

    announced = await door.send(b"", headers, length=LARGEST + 1)
    absurd = await door.send(b"", headers, length=10**18)
    came = await door.send(body, headers, chunked=1 << 20)

    assert [one.status for one in (announced, absurd, came)] == [413, 413, 413]
    assert await door.rows() == []


# --- Broken HTTP ----------------------------------------------------------------


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity", "nonsense"])
async def test_an_encoded_body_is_refused_unread(door: Door, coding: str) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    headers = [*headers_of(bomb), ("Content-Encoding", coding)]

    answer = await door.send(bomb, headers)

    assert answer.status == 415
    assert await door.rows() == []


async def test_a_body_that_trickles_is_given_up(door: Door) -> None:
    headers = [*headers_of(BODY), ("Content-Length", str(len(BODY)))]
    async with door.connected() as (reader, writer):
        writer.write(head("POST", "/webhook", headers) + BODY[:3])
        answer = await asyncio.wait_for(read_answer(reader), 10)

    assert answer.status == 408
    assert await door.rows() == []


async def test_whoever_hangs_up_leaves_nothing_behind(door: Door) -> None:
    headers = [*headers_of(BODY), ("Content-Length", str(len(BODY)))]
    whole = head("POST", "/webhook", headers) + BODY
    for sent in (10, len(whole) - len(BODY), len(whole) - 5, len(whole) - 1):
        async with door.connected() as (_, writer):
            writer.write(whole[:sent])
            await writer.drain()

    assert (await door.send(BODY)).status == 202
    assert len(await door.rows()) == 1


async def test_whoever_hangs_up_after_the_last_byte_is_kept_whole_or_not_at_all(
    door: Door,
) -> None:
    headers = headers_of(BODY, guid="once")
    whole = head("POST", "/webhook", [*headers, ("Content-Length", str(len(BODY)))])
    for _ in range(20):
        async with door.connected() as (_, writer):
            writer.write(whole + BODY)
            await writer.drain()

    assert (await door.send(BODY, headers)).status in (200, 202)
    assert [row.body for row in await door.rows()] == [BODY]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"zz\r\nnot a chunk\r\n", id="a size that is no number"),
        pytest.param(b"5\r\nabc\r\n0\r\n\r\n", id="a chunk shorter than it says"),
        pytest.param(b"ffffffffffffffffff\r\n", id="a size beyond all bounds"),
    ],
)
async def test_broken_chunks_are_the_senders_fault(door: Door, raw: bytes) -> None:
    headers = [*headers_of(BODY), ("Transfer-Encoding", "chunked")]
    async with door.connected() as (reader, writer):
        writer.write(head("POST", "/webhook", headers) + raw)
        answer = await asyncio.wait_for(read_answer(reader), 10)

    assert answer.status in (400, 408)
    assert "Traceback" not in answer.text
    assert await door.rows() == []


# --- Headers --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["X-GitHub-Event", "X-GitHub-Delivery", "X-GitHub-Hook-ID"],
)
async def test_each_of_githubs_headers_is_needed_once_and_readable(
    door: Door, name: str
) -> None:
    missing = headers_of(BODY, without=[name])
    bad: dict[str, str | bytes] = {
        "empty": "",
        "overlong": "9" * 65,
        "letters beyond ASCII": "é",
        "no text": b"\xff\x80",
        "two words": "1 2",
    }

    answers = {"missing": await door.send(BODY, missing)}
    answers["twice"] = await door.send(BODY, [*headers_of(BODY), (name, "1")])
    for what, value in bad.items():
        answers[what] = await door.send(BODY, [*missing, (name, value)])

    assert {what: answer.status for what, answer in answers.items()} == dict.fromkeys(
        ["missing", "twice", *bad], 400
    )
    assert all(name in answer.json["error"] for answer in answers.values())
    assert await door.rows() == []


@pytest.mark.parametrize(
    "value", ["a: b", ": ", "X-GitHub-Event: push", "a:", ":b", "", " c ", "a:b"]
)
@pytest.mark.parametrize("last", [False, True])
async def test_what_others_add_to_the_head_changes_nothing(
    door: Door, value: str, *, last: bool
) -> None:
    added: list[tuple[str, str | bytes]] = [("X-Note", value)]
    given = headers_of(BODY, guid="g1", event="issues")

    answer = await door.send(BODY, [*given, *added] if last else [*added, *given])

    assert answer.status == 202
    (row,) = await door.rows()
    assert (row.guid, row.event, row.body) == ("g1", "issues", BODY)
    assert set(row.headers) == {name for name, _ in given} - {"Content-Type"}


async def test_two_signatures_are_one_too_many(door: Door) -> None:
    headers = [*headers_of(BODY), ("X-Hub-Signature-256", _GOOD)]

    assert (await door.send(BODY, headers)).status == 400
    assert await door.rows() == []


async def test_nobody_outside_can_pass_for_our_own_events(door: Door) -> None:
    headers = headers_of(BODY, hook="vibeboard", event="stage_asked")

    assert (await door.send(BODY, headers)).status == 400
    assert await door.rows() == []


async def test_a_content_type_that_nobody_knows_does_no_harm(door: Door) -> None:
    headers = headers_of(BODY, without=["Content-Type"])

    for kind in ("application/json; charset=zzz", "application/x-www-form-urlencoded"):
        given = [*headers, ("Content-Type", kind)]
        assert (await door.send(BODY, given)).status in (200, 202)
    assert len(await door.rows()) == 1


# --- Bodies ---------------------------------------------------------------------

_DEEP = 200_000
HOSTILE = {
    "arrays in arrays": b"[" * _DEEP,
    "objects in objects": b'{"a":' * _DEEP,
    "whole arrays in arrays": b"[" * _DEEP + b"]" * _DEEP,
    "not a number": b'{"action": NaN, "a": Infinity}',
    "a huge number": b'{"action": "created", "comment": {"id": ' + b"9" * 5000 + b"}}",
    "half a character": rb'{"action": "\ud800", "organization": {"login": "\ud800"}}',
    "NUL": rb'{"action": "\u0000", "organization": {"login": "a\u0000b"}}',
    "one key twice": b'{"action": "created", "action": "deleted"}',
    "an array": b"[1, 2, 3]",
    "a number": b"7",
    "nothing": b"",
    "no JSON": b"payload=%7B%7D",
    "no text": b"\xff\xfe\x00\x80",
    "a byte order mark": b'\xef\xbb\xbf{"action": "created"}',
    "odd owners": b'{"organization": {"login": ["acme"]}, "repository": 7}',
    "an owner's name without end": b'{"organization": {"login": "%s"}}' % (b"a" * 9999),
}
EVENTS = (
    "issues",
    "issue_comment",
    "projects_v2_item",
    "pull_request_review",
    "push",
    "check_run",
    "installation",
    "zebra",
)


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_body_is_kept_and_is_at_worst_unreadable_later(
    door: Door, what: str
) -> None:
    body = HOSTILE[what]

    answers = [await door.send(body, headers_of(body, event=event)) for event in EVENTS]

    assert {answer.status for answer in answers} == {202}
    assert {row.body for row in await door.rows()} == {body}
    assert door.woken == len(EVENTS)
    for event in EVENTS:
        try:
            read = translate(event, body, guid="g")
        except MalformedDelivery as unreadable:
            str(unreadable).encode()
        else:
            assert read is None


# --- Again ----------------------------------------------------------------------


async def test_a_hundred_copies_at_once_are_kept_once(door: Door) -> None:
    headers = headers_of(BODY, guid="same")

    answers = await asyncio.gather(*(door.send(BODY, headers) for _ in range(100)))

    assert sorted(answer.status for answer in answers) == [200] * 99 + [202]
    assert len(await door.rows()) == door.woken == 1


async def test_the_first_body_of_a_delivery_stands_and_a_second_is_flagged(
    door: Door,
) -> None:
    other = b'{"action": "reopened"}'
    await door.send(BODY, headers_of(BODY, guid="same"))

    again = await door.send(other, headers_of(other, guid="same"))

    assert (again.status, again.json["kept"]) == (200, "conflict")
    (row,) = await door.rows()
    assert row.body == BODY
    assert row.conflict
    elsewhere = await door.send(other, headers_of(other, guid="same", hook="2"))
    assert elsewhere.status == 202


# --- Ourselves ------------------------------------------------------------------


async def test_a_store_that_fails_is_told_and_nothing_is_acknowledged(
    store: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(store) as door:
        headers = headers_of(BODY)
        await door.out_of_order(broken=True)
        refused = await door.send(BODY, headers)
        await door.out_of_order(broken=False)
        kept = await door.send(BODY, headers)

    assert refused.status == 503
    assert "out of order" not in refused.text
    assert "Traceback" not in refused.text
    assert kept.status == 202
    assert "delivery not stored" in caplog.messages


async def test_the_door_gives_health_and_schema_and_nothing_else(
    door: Door,
) -> None:
    alive = await door.send(b"", [], path="/healthz", method="GET")
    schema = await door.send(b"", [], path="/schema/vibe-yml.json", method="GET")
    nowhere = await door.send(b"", [], path="/webhook/../etc/passwd")
    wrong = await door.send(b"", [], method="GET")

    assert (alive.status, alive.json) == (200, {"status": "ok"})
    assert (schema.status, schema.json) == (200, json_schema())
    assert nowhere.status == 404
    assert wrong.status == 405


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"POST /webhook HTTP/9.9\r\n\r\n", id="a version of its own"),
        pytest.param(b"POST /webhook HTTP/1.1\r\nno colon\r\n\r\n", id="no header"),
        pytest.param(
            b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
            id="a negative length",
        ),
        pytest.param(
            b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="two lengths",
        ),
        pytest.param(
            b"POST /webhook HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
            id="a header without end",
        ),
    ],
)
async def test_strangers_who_speak_no_http_are_answered_400_and_fill_no_log(
    door: Door, raw: bytes
) -> None:
    async with door.connected() as (reader, writer):
        writer.write(raw)
        answer = await asyncio.wait_for(read_answer(reader), 10)

    assert answer.status == 400
    assert "Traceback" not in answer.text
