"""Reads what models cost: the table we ship, and an operator's own before it."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vibeboard.domain.budget import Price, Prices
from vibeboard.errors import SettingsInvalid

_OURS = files("vibeboard.config") / "prices.toml"
_SETTING = "VIBEBOARD_PRICES_FILE"

Usd = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]


class _Price(BaseModel):
    model_config = ConfigDict(extra="forbid")

    input: Usd
    output: Usd
    cached: Usd | None = None
    cache_write: Usd | None = None

    def price(self) -> Price:
        # Who gives no price of its own for the cache counts it as any other input.
        cached = self.input if self.cached is None else self.cached
        written = self.input if self.cache_write is None else self.cache_write
        return Price(self.input, self.output, cached, written)


class _Table(BaseModel):
    """``as_of`` and ``source`` are for people who wonder."""

    model_config = ConfigDict(extra="forbid")

    as_of: object = None
    source: str = ""
    models: dict[str, _Price] = Field(default_factory=dict)


def read_prices(own: Path | None = None) -> Prices:
    """All prices; raises SettingsInvalid if the operator's file cannot be used."""
    models = _read(_OURS.read_text(encoding="utf-8"))
    if own is not None:
        try:
            models |= _read(own.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsInvalid(f"{_SETTING}: cannot read {own}: {error}") from error
        except tomllib.TOMLDecodeError as error:
            raise SettingsInvalid(f"{_SETTING}: {own} is no TOML: {error}") from error
        except ValidationError as error:
            raise SettingsInvalid(
                "\n".join(
                    f"{_SETTING}: {own}: {'.'.join(map(str, fault['loc']))}: "
                    f"{fault['msg']}"
                    for fault in error.errors()
                )
            ) from error
    return Prices(models)


def _read(text: str) -> dict[str, Price]:
    table = _Table.model_validate(tomllib.loads(text))
    return {name.casefold(): one.price() for name, one in table.models.items()}
