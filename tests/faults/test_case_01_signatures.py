"""Case 1: only what GitHub signed with a secret in use comes in."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.faults.doors import served
from tests.web.door import headers_of, sign
from vibeboard.errors import SettingsInvalid
from vibeboard.github.signature import verify
from vibeboard.settings import PREFIX, read_settings
from vibeboard.store.database import Database

OLD, NEW, REMOVED = "the old secret", "the new secret", "the removed secret"
BODY = b'{"zen": "Keep it logically awesome."}'


def test_case_01_githubs_published_vector_is_good() -> None:
    # Source: docs.github.com, "Validating webhook deliveries".
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    secret = b"It's a Secret to Everybody"

    assert verify(b"Hello, World!", f"sha256={digest}", [secret])
    assert not verify(b"Hello, World?", f"sha256={digest}", [secret])


async def test_case_01_each_secret_in_use_is_good_and_nothing_else_is(
    database: Database, tmp_path: Path
) -> None:
    good = sign(BODY, NEW.encode())
    wrong: list[str | bytes] = [
        "",
        good[:-1],
        f"{good}0",
        f"{good[:-1]}{'0' if good[-1] != '0' else '1'}",
        good.upper(),
        good.replace("sha256=", "sha1="),
        good.replace("sha256=", ""),
        "sha256=é".encode(),
        b"sha256=\xff\xfe",
        sign(BODY, REMOVED.encode()),
        sign(BODY + b" ", NEW.encode()),
    ]
    async with served(database, tmp_path, OLD, NEW) as door:
        refused = [
            await door.send(BODY, headers_of(BODY, signature=one)) for one in wrong
        ]
        bare = headers_of(BODY, without=["X-Hub-Signature-256"])
        old_kind = [*bare, ("X-Hub-Signature", "sha1=" + "0" * 40)]
        refused += [await door.send(BODY, given) for given in (bare, old_kind)]
        twice = await door.send(
            BODY, [*headers_of(BODY, signature=good), ("X-Hub-Signature-256", good)]
        )
        assert await door.rows() == []
        taken = [
            await door.send(BODY, headers_of(BODY, signature=sign(BODY, key.encode())))
            for key in (OLD, NEW)
        ]

    assert {answer.status for answer in refused} == {401}
    assert len({answer.text for answer in refused}) == 1
    assert twice.status == 400
    assert [answer.status for answer in taken] == [202, 202]
    assert len(await door.rows()) == 2
    assert door.said == ""


async def test_case_01_without_a_secret_the_server_does_not_start(
    tmp_path: Path,
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "vibeboard", "serve"),
        env={"PATH": os.defpath, "VIBEBOARD_APP_ID": "1"},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 30)

    assert process.returncode not in (0, None)
    assert b"VIBEBOARD_WEBHOOK_SECRET_FILE" in said
    assert b"Traceback" not in said


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_case_01_an_empty_secret_is_none(text: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(text)
    given = {"APP_ID": "1", "PRIVATE_KEY_FILE": "k", "WEBHOOK_SECRET_FILE": str(file)}
    settings = read_settings({PREFIX + name: value for name, value in given.items()})

    with pytest.raises(SettingsInvalid, match="secret is needed"):
        settings.webhook_secrets()
