from typing import Any

import jsonschema
import pytest
from jsonschema.validators import Draft202012Validator

from tests.config.examples import FULL, SMALLEST, SUPPORTED
from vibeboard.config.document import read
from vibeboard.config.schema import json_schema

VALID = Draft202012Validator(json_schema())


def test_the_schema_is_one_of_its_dialect() -> None:
    Draft202012Validator.check_schema(json_schema())

    assert json_schema()["title"] == ".vibe.yml"
    assert json_schema()["$id"].startswith("urn:")


@pytest.mark.parametrize("text", [SMALLEST, FULL, SUPPORTED])
def test_the_examples_are_valid(text: str) -> None:
    VALID.validate(read(text, "f").value)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"zebra": 1}, id="an unknown key"),
        pytest.param({"stages": {"a": {"colum": "x"}}}, id="an unknown key deeper"),
        pytest.param({"stages": {"a b": {}}}, id="a bad name"),
        pytest.param({"stages": {}}, id="no stages"),
        pytest.param({"stages": {"a": {"column": ""}}}, id="an empty column"),
        pytest.param({"version": 2}, id="a later version"),
        pytest.param({"board": {"project": "a/b"}}, id="a bad board"),
        pytest.param({"stages": {"a": {"priority": "urgent"}}}, id="no such priority"),
        pytest.param({"stages": {"a": {"delay": -1}}}, id="a delay into the past"),
        pytest.param({"runner": "moon"}, id="an unknown value"),
        pytest.param(
            {"agents": {"a": {"cli": "command", "command": []}}}, id="an empty command"
        ),
    ],
)
def test_what_the_schema_refuses(change: dict[str, Any]) -> None:
    value = {"version": 1, "stages": {"develop": {}}, **change}

    with pytest.raises(jsonschema.ValidationError):
        VALID.validate(value)


def test_every_key_is_described() -> None:
    schema = json_schema()
    parts = [schema, *schema["$defs"].values()]

    described = [
        key.get("description") for part in parts for key in part["properties"].values()
    ]
    assert all(described)
