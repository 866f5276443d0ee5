"""What models cost: our table, and an operator's own before it."""

from pathlib import Path

import pytest

from vibeboard.config.prices import read_prices
from vibeboard.domain.budget import Price
from vibeboard.errors import SettingsInvalid


def test_our_table_is_sound() -> None:
    models = read_prices().models

    assert models
    for name, price in models.items():
        assert name == name.casefold()
        assert 0 < price.cached < price.input <= price.cache_write < price.output, name


def test_an_operators_prices_go_before_ours(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text(
        '[models]\n"GPT-5" = { input = 1, output = 2 }\n'
        '"ours" = { input = 3, output = 4, cached = 0.5 }\n'
    )

    prices = read_prices(own)

    assert prices.of("gpt-5") == Price(1, 2, 1, 1)
    assert prices.of("ours-2026-01-02") == Price(3, 4, 0.5, 3)
    assert prices.of("gpt-5-mini") == read_prices().of("gpt-5-mini")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(None, "cannot read", id="no file"),
        pytest.param("[models", "is no TOML", id="no TOML"),
        pytest.param("model = 1", "model: Extra inputs", id="a typing error"),
        pytest.param('[models]\nm = "1"', "models.m: ", id="no table"),
        pytest.param("[models]\nm = {input = 1}", "m.output: Field", id="half"),
        pytest.param(
            "[models]\nm = {input = -1, output = 2}", "m.input: ", id="negative"
        ),
        pytest.param(
            "[models]\nm = {input = nan, output = 2}", "m.input: ", id="no number"
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_its_place(
    text: str | None, told: str, tmp_path: Path
) -> None:
    own = tmp_path / "prices.toml"
    if text is not None:
        own.write_text(text)

    with pytest.raises(SettingsInvalid) as refused:
        read_prices(own)

    assert str(refused.value).startswith("VIBEBOARD_PRICES_FILE: ")
    assert str(own) in str(refused.value)
    assert told in str(refused.value)
