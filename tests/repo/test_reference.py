"""Every setting, command, error, event and key is in the docs."""

import dataclasses
import inspect
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from docs.make import MADE_FROM, PAGES, children, commands, localhub_options, variable
from localhub import Hub, faults, seed
from localhub.admin import Admin, DeliveryOrders
from localhub.manifest import ALWAYS_SENT
from localhub.server import ROUTES
from vibeboard import errors
from vibeboard.cli.main import Exit, app
from vibeboard.config.schema import json_schema
from vibeboard.domain.commands import COMMANDS
from vibeboard.domain.effects import Effect
from vibeboard.domain.events import (
    CardSeen,
    Event,
    QuestionAnswered,
    QuestionAsked,
    RunEnded,
    StageAsked,
)
from vibeboard.github.manifest import EVENTS, NEEDS
from vibeboard.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference"
# By hand: they tell of measurements and tests.
WRITTEN = {"benchmarks", "faults", "test-reports"}


def page(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_its_source_makes(name: str) -> None:
    assert page(name) == PAGES[name](), "write it again: python docs/make.py"


def test_no_page_stands_among_the_made_ones_that_nothing_makes() -> None:
    assert {file.stem for file in REFERENCE.iterdir()} - WRITTEN == set(PAGES)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_told(name: str) -> None:
    description = Settings.model_fields[name].description

    assert description
    assert f"| `{variable(name)}` |" in page("settings")
    assert description in page("settings")


def test_every_command_and_option_is_told() -> None:
    root: Any = typer.main.get_command(app)
    told = page("cli")

    for name, command in commands(root):
        _, _, section = told.partition(f"## `{name}")
        section, _, _ = section.partition("\n## ")
        assert command.help in section, name
        for each in command.params:
            shown = each.opts[-1] if each.opts[0].startswith("-") else each.name.upper()
            assert f"`{shown}" in section, f"{name} {shown}"
            assert each.help, f"{name} {shown}"


@pytest.mark.parametrize("code", Exit)
def test_every_exit_code_is_told(code: Exit) -> None:
    assert f"\n| {code.value} | " in page("cli")


def test_every_error_is_told() -> None:
    declared = {
        name
        for name, thing in vars(errors).items()
        if inspect.isclass(thing) and issubclass(thing, errors.VibeboardError)
    }
    drawn = {word for word in (errors.__doc__ or "").split() if word in declared}
    branches = children(errors.VibeboardError)

    assert drawn == declared
    for branch in branches:
        assert f"## `{branch.__name__}`" in page("errors")
        for leaf in children(branch):
            assert f"| `{leaf.__name__}` |" in page("errors")


@pytest.mark.parametrize("member", [*get_args(Event), *get_args(Effect)])
def test_every_event_and_effect_is_told(member: type) -> None:
    _, _, section = page("events-and-effects").partition(f"### `{member.__name__}`\n")
    section, _, _ = section.partition("\n### ")

    assert section
    for field in dataclasses.fields(member):
        assert f"`{field.name}`" in section


def test_every_delivery_has_its_event() -> None:
    made = {event.__name__ for event in get_args(Event)}
    own = (CardSeen, QuestionAnswered, QuestionAsked, RunEnded, StageAsked)
    ours = {event.__name__ for event in own}

    assert set(MADE_FROM) == {*EVENTS, *ALWAYS_SENT}
    assert set(MADE_FROM.values()) == made - ours


def test_every_admin_address_of_localhub_is_told() -> None:
    for route in Admin(Hub(Path())).routes():
        assert f"| {route.method} | `{route.path}` |" in page("localhub")


def test_every_rest_address_of_localhub_is_told() -> None:
    for route in ROUTES:
        assert f"| {route.method} | `{route.path}` |" in page("localhub")


@pytest.mark.parametrize(
    "model",
    [
        *(thing for name, thing in vars(seed).items() if name.endswith("Seed")),
        seed.Seed,
        faults.Fault,
        faults.Match,
        DeliveryOrders,
    ],
)
def test_every_key_of_a_seed_and_of_an_order_is_told(model: Any) -> None:
    for name, field in model.model_fields.items():
        assert f"| `{field.alias or name}` |" in page("localhub")


def test_every_option_of_localhub_is_told() -> None:
    for option, _, meaning in localhub_options():
        assert meaning
        assert f"| {option} |" in page("localhub")


def test_every_key_of_the_configuration_is_told() -> None:
    schema = json_schema()
    parts = [schema, *schema["$defs"].values()]
    keys = {key for part in parts for key in part.get("properties", ())}

    assert keys
    for key in keys:
        assert f"| `{key}` |" in page("vibe-yml")


@pytest.mark.parametrize("spec", COMMANDS, ids=lambda spec: spec.usage)
def test_every_command_of_a_comment_is_told(spec: Any) -> None:
    assert f"| `{spec.usage}` |" in page("commands")


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.permission)
def test_the_tutorial_asks_for_every_permission_with_its_reason(need: Any) -> None:
    tutorial = (DOCS / "tutorial" / "first-card.md").read_text()

    assert f"| `{need.permission}` | {need.access} | {need.reason} |" in tutorial


@pytest.mark.parametrize("event", EVENTS)
def test_the_tutorial_subscribes_to_every_event(event: str) -> None:
    assert f"`{event}`" in (DOCS / "tutorial" / "first-card.md").read_text()
