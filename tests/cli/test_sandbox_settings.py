"""What an operator says of the sandbox and of models."""

from pathlib import Path

import pytest

from vibeboard.errors import SettingsInvalid
from vibeboard.settings import Settings, read_settings


def settings(folder: Path, **given: str) -> Settings:
    named = {f"VIBEBOARD_{name.upper()}": value for name, value in given.items()}
    return read_settings(
        {
            "VIBEBOARD_APP_ID": "1",
            "VIBEBOARD_PRIVATE_KEY_FILE": str(folder / "app.pem"),
            "VIBEBOARD_WEBHOOK_SECRET_FILE": str(folder / "secret"),
            **named,
        }
    )


def test_models_are_there_by_key_or_by_address(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-1\n")

    read = settings(
        tmp_path,
        anthropic_api_key_file=str(tmp_path / "key"),
        openai_base_url="http://models.local/v1",
    )

    assert read.model_accounts() == {
        "anthropic": (None, "sk-1"),
        "openai": ("http://models.local/v1", None),
    }


def test_a_key_that_cannot_be_read_is_told_with_its_setting(tmp_path: Path) -> None:
    read = settings(tmp_path, gemini_api_key_file=str(tmp_path / "none"))

    with pytest.raises(SettingsInvalid, match="VIBEBOARD_GEMINI_API_KEY_FILE"):
        read.model_accounts()


def test_every_secret_file_is_known_to_be_one(tmp_path: Path) -> None:
    files = {name for name in Settings.model_fields if name.endswith("_file")}
    names = files - {"prices_file"}  # no secret: what models cost
    given = {name: str(tmp_path / name) for name in names}

    read = settings(tmp_path, **given)

    assert {path.name for path in read.secret_files} == names


def test_what_may_be_read_besides_is_a_list_of_paths(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()

    assert settings(tmp_path).readable == ()
    assert settings(
        tmp_path, sandbox_read=f"{tmp_path}:{tmp_path / 'a'}:"
    ).readable == (tmp_path, tmp_path / "a")


@pytest.mark.parametrize("given", ["relative", "/none/such", "/usr:relative"])
def test_what_is_no_path_is_told(tmp_path: Path, given: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"VIBEBOARD_SANDBOX_READ: .* is no path"):
        _ = settings(tmp_path, sandbox_read=given).readable


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sandbox", "on"),
        ("run_memory_gb", "0"),
        ("run_cpus", "0"),
        ("run_disk_gb", "x"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(SettingsInvalid, match=f"VIBEBOARD_{name.upper()}: "):
        settings(tmp_path, **{name: value})
