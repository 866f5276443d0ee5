"""The files that a repository begins with, and the pull request that brings them.

Pure: where they go and how they get there is told in ``checkout.py`` and
``command.py``. The workflows themselves are shipped, in the folder ``workflows``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vibeboard.config.loader import load
from vibeboard.config.schema import json_schema
from vibeboard.domain.workflow import FILE
from vibeboard.errors import UserError

SCHEMA = ".vibe/schema.json"
WORKFLOWS = ".github/workflows"
BRANCH = "vibeboard/configure"
TITLE = "Configure Vibeboard"

_ACTION = re.compile(rf"OWNER/REPO/(action(?:/preview)?)@{'0' * 40} # vX\.Y\.Z")
_PIN = re.compile(
    r"(?P<repository>[A-Za-z0-9][\w-]*/[\w.-]*[A-Za-z0-9_])@(?P<commit>[0-9a-f]{40})"
)
_BOARD = re.compile(r"(?:[A-Za-z0-9][\w-]*/)?[1-9][0-9]*")
_SERVER = re.compile(
    r"https://[a-z0-9.-]+(?::[0-9]+)?(?:/[\w./~-]*)?"
    r"|http://(?:localhost|127\.0\.0\.1)(?::[0-9]+)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Pin:
    """A commit of a repository that has the action, of one version."""

    repository: str
    commit: str
    version: str

    @classmethod
    def parse(cls, text: str, version: str) -> "Pin":
        """What was typed; raises UserError."""
        found = _PIN.fullmatch(text)
        if found is None:
            message = (
                f"--action {text}: tell it as OWNER/REPOSITORY@COMMIT; COMMIT has 40 "
                "hexadecimal digits; tags and branches can be moved to other code"
            )
            raise UserError(message)
        return cls(found["repository"], found["commit"], version)


def server_address(text: str) -> str:
    """A server's address as it posts it itself; raises UserError."""
    address = text.rstrip("/")
    if not _SERVER.fullmatch(address):
        message = (
            f"--server {text}: tell the address where GitHub's runners reach the "
            "server, such as https://vibeboard.example"
        )
        raise UserError(message)
    return address


# --- .vibe.yml ------------------------------------------------------------------


@dataclass(frozen=True)
class _Tests:
    """How tests of a kind are run, and what tells that a repository has them."""

    file: str
    mention: str
    run: str


_OUT = "out/unit.xml"
_KINDS = (
    *(
        _Tests(file, "pytest", f"pytest --junitxml={_OUT}")
        for file in ("pyproject.toml", "pytest.ini", "setup.cfg", "tox.ini")
    ),
    _Tests(
        "package.json",
        '"vitest"',
        f"npx vitest run --reporter=junit --outputFile={_OUT}",
    ),
    _Tests("go.mod", "module ", f"gotestsum --junitfile {_OUT}"),
)
# What the tests of a repository are told apart by.
TELLING = tuple(dict.fromkeys(kind.file for kind in _KINDS))


def vibe_yml(
    *, board: str, column: str, files: Mapping[str, str], actions: bool
) -> str:
    """A `.vibe.yml` to begin with; raises UserError if it would not be a right one.

    ``files`` are those that tell how tests are run (``TELLING``), as far as they are
    there. ``actions``: a server gives the runs to GitHub Actions.
    """
    if board and not _BOARD.fullmatch(board):
        message = f"--board {board}: tell the number in its address, or OWNER/NUMBER"
        raise UserError(message)
    run = _test_command(files)
    lines = [
        f"# yaml-language-server: $schema={SCHEMA}",
        "# What Vibeboard does here; `vibeboard check` explains it.",
        "version: 1",
        *_board(board),
        *(["runner: actions"] if actions else []),
        "stages:",
        *_stage(column if board else "", tested=bool(run)),
        *_tests(run),
    ]
    text = "\n".join(lines) + "\n"
    load(text, path=FILE, owner="OWNER")  # nothing that would be refused later
    return text


def _board(board: str) -> Sequence[str]:
    if board:
        return [f"board: {{project: {board}}}"]
    return [
        "# `/agent develop` on an issue starts the stage. Cards do, too, once the",
        "# board is named by the number in its address, and the stage has a `column`.",
        "# board: {project: 1}",
    ]


def _stage(column: str, *, tested: bool) -> Sequence[str]:
    keys = []
    if column:
        keys.append(f"    column: {json.dumps(column, ensure_ascii=False)}")
    if tested:
        keys.append("    tests: [unit]")
    return ["  develop:", *keys] if keys else ["  develop: {}"]


def _test_command(files: Mapping[str, str]) -> str:
    return next(
        (kind.run for kind in _KINDS if kind.mention in files.get(kind.file, "")), ""
    )


def _tests(run: str) -> Sequence[str]:
    if run:
        return ["tests:", f"  unit: {{run: {json.dumps(run)}, report: {_OUT}}}"]
    return [
        "# Agents' work counts for more when it is tested: any command will do that",
        "# writes JUnit XML. Then give the stage `tests: [unit]`.",
        "# tests:",
        f"#   unit: {{run: make test, report: {_OUT}}}",
    ]


def schema() -> str:
    """The schema that `.vibe.yml` names, for editors."""
    return json.dumps(json_schema(), indent=1) + "\n"


# --- Workflows ------------------------------------------------------------------

_WITH, _WITHOUT = "with a server", "without a server"
_MARK = r"^ *# (?:>>>|<<<) {}\n"
_PART = r"^ *# >>> {0}\n.*?^ *# <<< {0}\n"
_WRITTEN = "# Written by `vibeboard init --actions`; it is yours to change."
_TO_FILL_IN = (
    "# In the steps marked YOURS, say how a change is built, published and taken down."
)
_HEADER = re.compile(r"\A(?:#.*\n)+\n")


def workflows(
    shipped: Mapping[str, str], pin: Pin, *, server: str, previews: bool
) -> Mapping[str, str]:
    """The shipped workflows as this repository needs them, by path.

    With a ``server`` only it starts them, and they take runs from no other. Without
    one, comments and what else happens here do. That of ``previews`` is to be filled
    in.
    """
    heads = {"agent.yml": _header(server)}
    if not server:
        heads["review-loop.yml"] = _header(server)
    if previews:
        heads["preview.yml"] = f"{_WRITTEN}\n{_TO_FILL_IN}\n\n"
    return {
        f"{WORKFLOWS}/{name}": _made(shipped[name], head, pin, server=server)
        for name, head in heads.items()
    }


def _made(text: str, head: str, pin: Pin, *, server: str) -> str:
    stays, goes = (_WITH, _WITHOUT) if server else (_WITHOUT, _WITH)
    text = re.sub(_PART.format(goes), "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(_MARK.format(stays), "", text, flags=re.MULTILINE)
    text = _HEADER.sub(head, text)
    if server:
        known = "vars.VIBEBOARD_SERVER"
        text = text.replace(f"${{{{ {known} }}}}", server)
        text = text.replace(f"{known} == '' || ", "").replace(f"{known} != '' && ", "")
        text = text.replace(known, f"'{server}'")
    else:
        text = text.replace(" && !inputs.server", "")
    used = rf"{pin.repository}/\1@{pin.commit} # v{pin.version}"
    return _ACTION.sub(used, text)


def _header(server: str) -> str:
    how = (
        "The server starts this workflow for each run that it gives to GitHub Actions."
        if server
        else "There is no server: what happens here starts this workflow by itself."
    )
    return f"{_WRITTEN}\n# {how}\n\n"


# --- The pull request -----------------------------------------------------------


def body(paths: Sequence[str], *, server: str, actions: bool) -> str:
    """What the pull request says."""
    previews = f"{WORKFLOWS}/preview.yml" in paths
    listed = "\n".join(f"- `{path}`" for path in paths)
    return f"""\
This brings what Vibeboard needs in this repository. Nothing happens before it is
merged; close it, and nothing ever does.

{listed}

**What happens then.** {_starting(actions=actions, server=server)} An agent works on a
branch `vibe/…`, the tests run, and a draft pull request waits for review. Nobody but
people with write permission can start or approve anything.

**Before you merge**

{_before(actions=actions, server=server, previews=previews)}

**To undo it,** remove these files again.
"""


def _starting(*, actions: bool, server: str) -> str:
    if actions and not server:
        return (
            "Somebody writes `/agent develop` on an issue, or gives it the label "
            "`agent:develop`, and a workflow of GitHub Actions starts."
        )
    return (
        "Somebody writes `/agent develop` on an issue, or moves its card into the "
        "column that `.vibe.yml` names, and the server starts a run."
    )


def _before(*, actions: bool, server: str, previews: bool) -> str:
    steps = ["Look at the test command and the column in `.vibe.yml`."]
    if actions:
        steps.append(
            "Give the repository the secret `ANTHROPIC_API_KEY` (*Settings → Secrets "
            "and variables → Actions*)."
        )
    if actions and not server:
        steps.append(
            "Allow GitHub Actions to create pull requests (*Settings → Actions → "
            "General*)."
        )
    if previews:
        steps.append(
            "Say in the steps of `preview.yml` that are marked YOURS how a change is "
            "built, published and taken down."
        )
    return "\n".join(f"- [ ] {step}" for step in steps)
