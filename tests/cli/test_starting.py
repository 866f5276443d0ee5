"""What keeps a server from starting, in a sentence and with an exit code."""

import socket

import pytest

from tests.cli.conftest import Terminal


async def test_a_key_that_is_none(terminal: Terminal) -> None:
    bad = terminal.home / "bad.pem"
    bad.write_text("no key")

    said = await terminal.types("serve", private_key_file=str(bad))

    assert said.code == 2
    assert "is not an RSA key in PEM form" in said.err


async def test_an_app_that_github_does_not_know(terminal: Terminal) -> None:
    said = await terminal.types("serve", app_id="77")

    assert said.code == 2
    assert "does not take this key for App 77" in said.err
    assert "VIBEBOARD_APP_ID and VIBEBOARD_PRIVATE_KEY_FILE" in said.err


async def test_an_empty_secret(terminal: Terminal) -> None:
    (terminal.home / "empty").write_text("\n")

    said = await terminal.types(
        "serve", webhook_secret_file=str(terminal.home / "empty")
    )

    assert said.code == 2
    assert "a webhook secret is needed" in said.err


async def test_a_github_that_does_not_answer(terminal: Terminal) -> None:
    said = await terminal.types("serve", github_api_url="http://127.0.0.1:1")

    assert said.code == 3
    assert "GitHub cannot be reached" in said.err


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://me:secret@127.0.0.1:1/x", "Connection refused"),
        ("sqlite:////proc/none/x.db", "cannot make the database's directory"),
        ("mysql://x", "use sqlite or postgresql"),
        ("nonsense", "the database URL cannot be read"),
    ],
)
async def test_a_database_that_cannot_be_had(
    terminal: Terminal, url: str, reason: str
) -> None:
    said = await terminal.types("serve", database_url=url)

    assert said.code == 2
    assert reason in said.err
    assert "secret" not in said.err


async def test_a_file_that_is_no_database(terminal: Terminal) -> None:
    junk = terminal.home / "junk.db"
    junk.write_text("no database " * 100)

    said = await terminal.types("serve", database_url=f"sqlite:///{junk}")

    assert said.code == 2
    assert "file is not a database" in said.err


async def test_a_port_that_is_taken(terminal: Terminal) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = await terminal.types("serve", port=port)

    assert said.code == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in said.err
    assert "VIBEBOARD_PORT" in said.err


async def test_a_worker_on_sqlite(terminal: Terminal) -> None:
    said = await terminal.types("worker")

    assert said.code == 2
    assert "needs a postgresql:// database" in said.err


async def test_a_second_server_on_one_file(terminal: Terminal) -> None:
    await terminal.serve()

    said = await terminal.types("serve", port="0")

    assert said.code == 2
    assert terminal.server is not None
    assert f"in use by another Vibeboard (process {terminal.server.pid})" in said.err


async def test_the_database_is_upgraded_once(terminal: Terminal) -> None:
    first = await terminal.types("db", "upgrade")
    second = await terminal.types("db", "upgrade")

    assert (first.code, second.code) == (0, 0)
    assert "the database went from empty to" in first.out
    assert "already" in second.out
