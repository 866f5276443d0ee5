"""The action's page and its file say the same."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from vibeboard.action.inputs import PREFIX, SANDBOX

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "action/README.md").read_text()
ACTION: Any = YAML(typ="safe").load((ROOT / "action/action.yml").read_text())


def named_in(heading: str) -> set[str]:
    """What the first column of the table below a heading names."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("| `")]
    return {
        name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    }


def test_the_page_names_every_input_and_output() -> None:
    assert named_in("Inputs") == set(ACTION["inputs"])
    assert named_in("Outputs") == set(ACTION["outputs"])


def test_the_program_is_given_every_input_by_its_name() -> None:
    (work,) = [step for step in ACTION["runs"]["steps"] if step.get("id") == "run"]

    assert work["env"] == {
        f"{PREFIX}{name.upper().replace('-', '_')}": f"${{{{ inputs.{name} }}}}"
        for name in ACTION["inputs"]
    }
    assert ACTION["inputs"]["sandbox"]["default"] in SANDBOX


def test_no_script_has_an_expression_and_python_is_always_alone() -> None:
    scripts = [step["run"] for step in ACTION["runs"]["steps"]]
    scripts.append((ROOT / "action/install.sh").read_text())

    assert len(scripts) == 4
    for script in scripts:
        assert "${{" not in script
        assert not re.search(r"GITHUB_(ENV|PATH)\b", script)
        before = re.findall(r"(\S+) -m (?:pip|venv|vibeboard)", script)
        assert set(before) <= {"-I"}, script


def test_the_lock_is_a_part_of_the_servers() -> None:
    pins = [
        set(re.findall(r"^([a-z0-9.-]+==\S+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("action/requirements.lock", "requirements.lock")
    ]

    assert pins[0] < pins[1]
    assert not {"sqlalchemy", "alembic", "jinja2", "uvloop", "asyncpg", "psycopg"} & {
        pin.partition("==")[0] for pin in pins[0]
    }
