"""Who is answered by the API, without a server."""

import json
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from vibeboard.errors import SettingsInvalid
from vibeboard.settings import Settings, read_settings
from vibeboard.web.access import Access

TOKENS = (b"a" * 32, b"b" * 32)


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        ("Bearer " + "a" * 32, None),
        ("bearer  " + "b" * 32, None),
        ("", 401),
        ("Bearer", 401),
        ("Bearer " + "a" * 31, 401),
        ("Bearer " + "a" * 33, 401),
        ("Basic " + "a" * 32, 401),
        ("a" * 32, 401),
    ],
)
def test_only_who_shows_a_token_is_answered(shown: str, status: int | None) -> None:
    request = make_mocked_request("GET", "/", {"Authorization": shown})

    refusal = Access(TOKENS).refusal(request)

    assert (refusal.status if refusal is not None else None) == status


def test_without_tokens_nobody_is_answered_and_the_reason_is_told() -> None:
    request = make_mocked_request("GET", "/", {"Authorization": "Bearer "})

    refusal = Access(()).refusal(request)

    assert refusal is not None
    assert refusal.status == 404
    assert "VIBEBOARD_API_TOKEN_FILE" in json.loads(refusal.text or "")["error"]


def settings(path: Path) -> Settings:
    names = ("APP_ID", "PRIVATE_KEY_FILE", "WEBHOOK_SECRET_FILE", "API_TOKEN_FILE")
    return read_settings({f"VIBEBOARD_{name}": str(path) for name in names})


@pytest.mark.parametrize("text", ["", "\n\n", "short\n", "a" * 40 + "\nshort\n"])
def test_a_token_that_can_be_guessed_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(text)

    with pytest.raises(SettingsInvalid, match="32 characters or more") as told:
        settings(path).api_tokens()

    assert "short" not in str(told.value)


def test_several_tokens_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{'a' * 32}\n\n {'b' * 32} \n")

    assert settings(path).api_tokens() == TOKENS
