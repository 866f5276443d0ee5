"""The reference pages, made from the models and from the table of commands.

``python -m vibeboard.config.reference vibe-yml > docs/reference/vibe-yml.md``, and
``… commands > docs/reference/commands.md``.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from vibeboard.config.models import NAME
from vibeboard.config.not_yet import NOT_YET
from vibeboard.config.presets import builtin_names
from vibeboard.config.schema import json_schema
from vibeboard.domain.commands import COMMANDS, Spec

_MADE = (
    "<!-- Made by `python -m vibeboard.config.reference {page}`; edit its source. -->"
)

_FIRST = """\
The smallest useful file:

```yaml
version: 1
board: {project: 7}
stages:
  develop: {column: In progress}
```

Keys that are not listed here are refused. So are those that this version understands
and does not carry out yet: they are marked *not yet*. Every fault is told with its line
and column, by the check `vibeboard / config` and by `vibeboard check`.

The file is YAML 1.2: `on` and `yes` are text. Tags and merge keys are not used; anchors
and aliases may be.
"""

_FIRST_OF_COMMANDS = """\
Written as the first line of a new comment on an issue or pull request. Upper and lower
case are the same. Quotes, code blocks and edited comments are never commands. Those
marked *not yet* are understood, and refused with that reason.
"""


def vibe_yml() -> str:
    """The page about `.vibe.yml`."""
    schema = json_schema()
    sections = "\n".join(_sections(schema, schema, ()))
    ours = ", ".join(f"`builtin:{name}`" for name in builtin_names())
    return "\n".join(
        [
            _MADE.format(page="vibe-yml"),
            "",
            "# `.vibe.yml`",
            "",
            schema["description"],
            "",
            _FIRST,
            f"Prompts of ours: {ours}.",
            "",
            sections,
        ]
    )


def commands() -> str:
    """The page about ``/agent`` commands."""
    rows = [
        f"| `{spec.usage}` | {_sentence(spec)} | {spec.who} | `{spec.example}` |"
        for spec in COMMANDS
    ]
    return "\n".join(
        [
            _MADE.format(page="commands"),
            "",
            "# Commands",
            "",
            _FIRST_OF_COMMANDS,
            "| Command | What it does | Who | Example |",
            "|---|---|---|---|",
            *rows,
            "",
            "Who may start runs is set by `commands` in [`.vibe.yml`](vibe-yml.md).",
            "",
        ]
    )


def _sentence(spec: Spec) -> str:
    return spec.description if spec.supported else f"*Not yet.* {spec.description}"


def _sections(
    schema: Mapping[str, Any], part: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[str]:
    """A table for ``part``, then one for each part below it."""
    if path:
        yield from (f"## `{'.'.join(_shown(path))}`", "", part["description"], "")
    yield from ("| Key | Value | Default | Meaning |", "|---|---|---|---|")
    below: list[tuple[tuple[str, ...], Mapping[str, Any]]] = []
    for key, found in part["properties"].items():
        place = (*path, key)
        value, deeper = _value(schema, found)
        if deeper is not None:
            is_named = "patternProperties" in found
            below.append(((*place, "*") if is_named else place, deeper))
        default = _default(key, found, part)
        meaning = found["description"] + _not_yet(place)
        yield f"| `{key}` | {value} | {default} | {meaning} |"
    yield ""
    for place, deeper in below:
        yield from _sections(schema, deeper, place)


def _shown(path: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("<name>" if part == "*" else part for part in path)


def _default(key: str, found: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    if key in part.get("required", ()):
        return "required"
    default = found.get("default")
    return "" if default is None else f"`{default}`"


def _not_yet(place: tuple[str, ...]) -> str:
    return " *Not yet.*" if any(entry.path == place for entry in NOT_YET) else ""


def _value(
    schema: Mapping[str, Any], found: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any] | None]:
    """What may stand there, in words, and the part it is if it has keys."""
    if "$ref" in found:
        part = schema["$defs"][found["$ref"].rpartition("/")[2]]
        return "keys, below", part
    if "anyOf" in found:
        each = [_value(schema, one) for one in found["anyOf"]]
        told = [words for words, _ in each if words != "nothing"]
        deeper = next((part for _, part in each if part is not None), None)
        return " or ".join(dict.fromkeys(told)), deeper
    match found.get("type"):
        case "object":
            (inside,) = found["patternProperties"].values()
            return "names, below", _value(schema, inside)[1]
        case "array":
            return f"list of {_value(schema, found['items'])[0]}", None
        case "integer" | "number":
            return _number(found), None
        case "null":
            return "nothing", None
        case _:
            return _words(found), None


def _words(found: Mapping[str, Any]) -> str:
    if "const" in found:
        return f"`{found['const']}`"
    if "enum" in found:
        return ", ".join(f"`{word}`" for word in found["enum"])
    return "name" if found.get("pattern") == NAME else "text"


def _number(found: Mapping[str, Any]) -> str:
    if "const" in found:
        return f"`{found['const']}`"
    kind = "whole number" if found["type"] == "integer" else "number"
    if "exclusiveMinimum" in found:
        return (
            f"{kind} over {found['exclusiveMinimum']:g}, at most {found['maximum']:g}"
        )
    return f"{kind}, {found['minimum']:g} to {found['maximum']:g}"


PAGES = {"vibe-yml": vibe_yml, "commands": commands}

if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())
