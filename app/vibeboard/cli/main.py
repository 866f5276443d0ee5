"""The entry of ``vibeboard``. Commands import what they need when they run."""

import json
import sys
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from vibeboard import __version__
from vibeboard.errors import SettingsInvalid, UserError, VibeboardError


class Exit(IntEnum):
    """Exit codes, the same for every command."""

    OK = 0
    NEGATIVE = 1  # the answer is no: faults found, run failed, demo not complete
    USAGE = 2  # settings or arguments are wrong
    BROKEN = 3  # Vibeboard's own fault


app = typer.Typer(
    name="vibeboard",
    help="Turns a GitHub Projects board into a workflow for coding agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 the answer is no, 2 wrong settings or arguments, "
    "3 a fault of Vibeboard itself.",
)
db = typer.Typer(help="The database.", no_args_is_help=True)
app.add_typer(db, name="db")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        typer.echo(f"vibeboard {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Turns a GitHub Projects board into a workflow for coding agents."""
    del version


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Run one card, check it, and leave.")
    ] = False,
    as_json: Json = False,
    agent: Annotated[
        str, typer.Option(help="recorded, or claude (a real CLI, if installed).")
    ] = "recorded",
    port: Annotated[
        int, typer.Option(help="Port of the local GitHub; 0 picks one.")
    ] = 0,
    directory: Annotated[
        Path | None, typer.Option(help="Where the demo keeps its files.")
    ] = None,
) -> None:
    """Show the main job on this machine: no credentials, no internet."""
    from vibeboard.cli.demo.command import run_demo

    raise typer.Exit(
        run_demo(
            once=once, as_json=as_json, agent=agent, port=port, directory=directory
        )
    )


@app.command()
def serve(
    name: Annotated[
        str, typer.Option(help="Tells this process from others on PostgreSQL.")
    ] = "server",
) -> None:
    """Take webhooks in, decide, and carry runs out on this machine."""
    from vibeboard.cli.serve import run_server

    raise typer.Exit(run_server(name=name))


@app.command()
def worker(
    name: Annotated[
        str, typer.Option(help="Tells this worker from others on PostgreSQL.")
    ] = "worker",
) -> None:
    """Carry runs out without listening to webhooks (PostgreSQL only)."""
    from vibeboard.cli.serve import run_worker

    raise typer.Exit(run_worker(name=name))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The file to check.")] = Path(
        ".vibe.yml"
    ),
    owner: Annotated[
        str, typer.Option(help="The account that owns the repository.")
    ] = "OWNER",
    as_json: Json = False,
) -> None:
    """Check a .vibe.yml and show what it means."""
    from vibeboard.cli.check import run_check

    raise typer.Exit(run_check(file, owner=owner, as_json=as_json))


@app.command()
def init(
    directory: Annotated[
        Path, typer.Argument(help="A checkout of the repository.")
    ] = Path(),
    *,
    board: Annotated[
        str, typer.Option(help="The board: its number, or OWNER/NUMBER.")
    ] = "",
    column: Annotated[
        str, typer.Option(help="The board's column that starts the agent.")
    ] = "In progress",
    actions: Annotated[
        bool, typer.Option("--actions", help="Workflows of GitHub Actions, too.")
    ] = False,
    previews: Annotated[
        bool,
        typer.Option("--previews", help="A workflow of previews to fill in, too."),
    ] = False,
    action: Annotated[
        str,
        typer.Option(
            help="What the workflows use: OWNER/REPOSITORY@COMMIT; default: what this "
            "was installed from."
        ),
    ] = "",
    server: Annotated[
        str,
        typer.Option(help="Who gives it runs; default: VIBEBOARD_PUBLIC_URL."),
    ] = "",
    branch: Annotated[
        str, typer.Option(help="The branch that is made.")
    ] = "vibeboard/configure",
    pull_request: Annotated[
        bool,
        typer.Option(
            "--pr", help="Push it and open a pull request, as the App or with GH_TOKEN."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files that are there.")
    ] = False,
) -> None:
    """Write a first .vibe.yml to a branch of its own, and workflows if wanted."""
    from vibeboard.cli.init.command import Wish, run_init

    wish = Wish(
        directory=directory,
        board=board,
        column=column,
        actions=actions or previews or bool(server),
        previews=previews,
        action=action,
        server=server,
        branch=branch,
        propose=pull_request,
        force=force,
    )
    raise typer.Exit(run_init(wish))


@app.command()
def run(
    stage: Annotated[
        str, typer.Argument(help="A stage of the repository's .vibe.yml.")
    ],
    card: Annotated[str, typer.Argument(help="The issue: owner/repository#number.")],
    instructions: Annotated[
        str, typer.Option("--say", help="More instructions for the agent.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Run one stage on one issue from the terminal, and wait for its end."""
    from vibeboard.cli.run import run_stage

    raise typer.Exit(run_stage(stage, card, instructions=instructions, as_json=as_json))


@app.command()
def replay(
    file: Annotated[
        Path, typer.Argument(help='{"event": …, "payload": {…}} or a recorded one.')
    ],
    url: Annotated[str, typer.Option(help="Where to send it.")] = "",
    event: Annotated[
        str, typer.Option(help="The event, if the file is the bare payload.")
    ] = "",
    same: Annotated[
        bool, typer.Option("--same", help="Keep the recorded delivery GUID.")
    ] = False,
) -> None:
    """Sign a recorded delivery and send it to the server again."""
    from vibeboard.cli.replay import run_replay

    raise typer.Exit(run_replay(file, url=url, event=event, same=same))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Look at this machine and its settings; say what is wrong and how to mend it."""
    from vibeboard.cli.doctor import run_doctor

    raise typer.Exit(run_doctor(as_json=as_json))


@app.command()
def agents(as_json: Json = False) -> None:
    """Show the agent programs that are here, and whether they are fit for work."""
    from vibeboard.cli.agents import run_agents

    raise typer.Exit(run_agents(as_json=as_json))


@app.command()
def schema() -> None:
    """Print the JSON Schema of .vibe.yml, for editors."""
    from vibeboard.config.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@app.command()
def queue(as_json: Json = False) -> None:
    """Show the deliveries and runs that wait or are under way, and what is paused."""
    from vibeboard.cli.look import run_queue

    raise typer.Exit(run_queue(as_json=as_json))


@app.command()
def dead(as_json: Json = False) -> None:
    """Show what was given up: deliveries and single effects, each with the reason."""
    from vibeboard.cli.look import run_dead

    raise typer.Exit(run_dead(as_json=as_json))


@app.command()
def retry(
    ids: Annotated[
        list[int] | None, typer.Argument(help="Deliveries that `dead` shows.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Do again what was given up; what was done by then is not done twice."""
    from vibeboard.cli.order import run_retry

    raise typer.Exit(run_retry(ids or [], everything=everything))


@app.command()
def stop(
    run: Annotated[str, typer.Argument(help="A run that `queue` shows.")],
    why: Annotated[str, typer.Option(help="The reason; it is told on the card.")],
) -> None:
    """Cancel a run; work that its agent has done is saved on its branch."""
    from vibeboard.cli.order import run_stop

    raise typer.Exit(run_stop(run, why=why))


@app.command()
def approve(
    question: Annotated[str, typer.Argument(help="As the card shows it: q17.")],
    note: Annotated[str, typer.Option(help="Told to the agent.")] = "",
    always: Annotated[
        bool, typer.Option("--always", help="Its like, too, until the run ends.")
    ] = False,
) -> None:
    """Allow what an agent asks."""
    from vibeboard.cli.order import run_answer

    raise typer.Exit(run_answer(question, allowed=True, note=note, for_run=always))


@app.command()
def reject(
    question: Annotated[str, typer.Argument(help="As the card shows it: q17.")],
    note: Annotated[str, typer.Option(help="What to do instead.")] = "",
) -> None:
    """Refuse what an agent asks."""
    from vibeboard.cli.order import run_answer

    raise typer.Exit(run_answer(question, allowed=False, note=note, for_run=False))


@app.command()
def pause(
    why: Annotated[str, typer.Option(help="The reason; it is told on cards.")],
    scope: Annotated[
        str,
        typer.Argument(help="OWNER, OWNER/REPOSITORY, OWNER/REPOSITORY#NUMBER or *."),
    ] = "*",
) -> None:
    """Start no more runs there; those under way go on, and nothing is lost."""
    from vibeboard.cli.order import run_pause

    raise typer.Exit(run_pause(scope, why=why))


@app.command()
def resume(
    scope: Annotated[str, typer.Argument(help="A scope that was paused.")] = "*",
) -> None:
    """Let runs start there again."""
    from vibeboard.cli.order import run_resume

    raise typer.Exit(run_resume(scope))


@app.command()
def workers(as_json: Json = False) -> None:
    """Show the processes that take work."""
    from vibeboard.cli.look import run_workers

    raise typer.Exit(run_workers(as_json=as_json))


@app.command()
def audit(
    subject: Annotated[
        str, typer.Argument(help="A card (owner/repository#number), run or scope.")
    ] = "",
    most: Annotated[int, typer.Option(min=1, help="How many lines.")] = 50,
    as_json: Json = False,
) -> None:
    """Show who did what, newest first."""
    from vibeboard.cli.look import run_audit

    raise typer.Exit(run_audit(subject, most=most, as_json=as_json))


@app.command()
def costs(
    by: Annotated[
        Literal["day", "stage", "issue", "model"], typer.Option(help="What adds up.")
    ] = "day",
    days: Annotated[int, typer.Option(min=1, help="How far to look back.")] = 30,
    repository: Annotated[
        str, typer.Option(help="Only this one (owner/repository).")
    ] = "",
    as_json: Json = False,
) -> None:
    """Show what runs spent."""
    from vibeboard.cli.look import run_costs

    raise typer.Exit(run_costs(by, days=days, repository=repository, as_json=as_json))


@db.command()
def upgrade() -> None:
    """Bring the database to this version's schema."""
    from vibeboard.cli.database import run_upgrade

    raise typer.Exit(run_upgrade())


@db.command()
def backup(
    file: Annotated[Path, typer.Argument(help="A new file; none is overwritten.")],
) -> None:
    """Copy the SQLite database while it is in use, and check the copy."""
    from vibeboard.cli.database import run_backup

    raise typer.Exit(run_backup(file))


@db.command()
def purge(
    older_than: Annotated[
        str, typer.Option(help="As in 30d; default: VIBEBOARD_KEEP_DELIVERIES_DAYS.")
    ] = "",
) -> None:
    """Take out deliveries that were done with or given up, as the server does daily."""
    from vibeboard.cli.database import run_purge

    raise typer.Exit(run_purge(older_than))


def run_cli() -> None:
    """Run the command line; every error of ours becomes a sentence."""
    try:
        app()
    except (SettingsInvalid, UserError) as error:
        sys.stderr.write(f"vibeboard: {error}\n")
        sys.exit(Exit.USAGE)
    except VibeboardError as error:
        sys.stderr.write(f"vibeboard: {error}\n")
        sys.exit(Exit.BROKEN)
