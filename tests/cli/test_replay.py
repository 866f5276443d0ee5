"""``vibeboard replay``: a recorded delivery goes through the real server."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Terminal


def recorded(terminal: Terminal, **given: Any) -> Path:
    """A comment of alice as a delivery somebody recorded."""
    card = terminal.card("Replayed")
    comment = card.said("no command")
    payload = {
        "action": "created",
        "comment": {
            "id": comment.id,
            "body": "/agent status",
            "user": {"login": "alice", "type": "User"},
        },
        "issue": {"number": card.issue.number},
        "repository": {"full_name": "acme/clock", "owner": {"login": "acme"}},
        "sender": {"login": "alice", "type": "User"},
    }
    file = terminal.home / "delivery.json"
    file.write_text(json.dumps({"event": "issue_comment", "payload": payload} | given))
    return file


async def test_it_is_signed_sent_and_acted_upon(terminal: Terminal) -> None:
    await terminal.serve()
    file = recorded(terminal)

    said = await terminal.types("replay", str(file))

    assert said.code == 0, said.err
    assert "/webhook answered 202" in said.out
    told = "No agent has worked on this card yet"
    await terminal.until(
        lambda: any(
            told in comment.body
            for issue in terminal.repository.issues.values()
            for comment in issue.comments
        ),
        "the answer",
    )


async def test_a_delivery_out_of_githubs_own_list(terminal: Terminal) -> None:
    await terminal.serve()
    kept = json.loads(recorded(terminal).read_text())
    file = terminal.home / "listed.json"
    file.write_text(
        json.dumps(
            {
                "id": 7,
                "guid": "0b5f2f4e-0000-4000-8000-000000000002",
                "event": kept["event"],
                "request": {
                    "headers": {"X-GitHub-Hook-ID": "1"},
                    "payload": kept["payload"],
                },
            }
        )
    )

    said = await terminal.types("replay", str(file), "--same")

    assert said.code == 0, said.err
    assert "0b5f2f4e-0000-4000-8000-000000000002" in said.out


async def test_the_same_one_twice_is_a_duplicate(terminal: Terminal) -> None:
    await terminal.serve()
    file = recorded(terminal, guid="0b5f2f4e-0000-4000-8000-000000000001")

    await terminal.types("replay", str(file), "--same")
    again = await terminal.types("replay", str(file), "--same")

    assert again.code == 0
    assert "answered 200" in again.out
    assert "duplicate" in again.out


async def test_a_server_that_does_not_take_it(terminal: Terminal) -> None:
    await terminal.serve()
    (terminal.home / "other").write_text("another secret")

    said = await terminal.types(
        "replay",
        str(recorded(terminal)),
        webhook_secret_file=str(terminal.home / "other"),
    )

    assert said.code == 1
    assert "answered 401" in said.out


async def test_nobody_listens(terminal: Terminal) -> None:
    said = await terminal.types("replay", str(recorded(terminal)))

    assert said.code == 2
    assert f"nobody answers at http://127.0.0.1:{terminal.port}/webhook" in said.err


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "No such file"),
        ("{", "as a JSON delivery"),
        ("[1]", "a JSON object is needed"),
        ("{}", "does not say its event"),
        ('{"event": "ping", "headers": [1]}', "headers"),
        ('{"event": 7}', "event"),
    ],
)
async def test_a_file_that_is_no_delivery(
    terminal: Terminal, text: str | None, reason: str
) -> None:
    file = terminal.home / "bad.json"
    if text is not None:
        file.write_text(text)

    said = await terminal.types("replay", str(file))

    assert said.code == 2
    assert reason in said.err
