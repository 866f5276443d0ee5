"""``vibeboard init``: a first `.vibe.yml`, workflows, and a pull request with them."""

import asyncio
import json
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import typer

from vibeboard import __version__
from vibeboard.cli.init import starter
from vibeboard.cli.init.checkout import Checkout, Made, Origin, origin_of
from vibeboard.cli.init.proposal import proposing
from vibeboard.cli.init.starter import Pin
from vibeboard.domain.workflow import FILE
from vibeboard.errors import PushRefused, UserError
from vibeboard.resources import shipped
from vibeboard.runner.git import Git
from vibeboard.settings import public_url, search_path


@dataclass(frozen=True)
class Wish:
    """What was typed."""

    directory: Path
    board: str
    column: str
    actions: bool
    previews: bool
    action: str
    server: str
    branch: str
    propose: bool
    force: bool


def run_init(wish: Wish) -> int:
    """Write the files to a branch; 0 if they are there."""
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(_init(wish, Git(home=Path(home), path=search_path())))
    return 0


async def _init(wish: Wish, git: Git) -> None:
    checkout = Checkout.around(git, wish.directory)
    if wish.actions and not wish.server:
        wish = replace(wish, server=public_url())
    files = await _files(wish, checkout, git)
    in_the_way = [] if wish.force else checkout.in_the_way(files)
    if in_the_way:
        message = (
            f"there already: {', '.join(in_the_way)}. Nothing was written; move it "
            "away, or have it overwritten: --force"
        )
        raise UserError(message)
    if not wish.propose:
        made = await checkout.commit(files, branch=wish.branch, message=starter.TITLE)
        _tell(made, wish.branch)
        _tell_next(await checkout.origin(), wish.branch)
        return
    await _propose(wish, checkout, files)


async def _propose(wish: Wish, checkout: Checkout, files: Mapping[str, str]) -> None:
    origin = await checkout.origin()
    if origin is None:
        message = (
            "the checkout's remote `origin` is no repository on GitHub: git remote add "
            "origin https://github.com/OWNER/REPOSITORY"
        )
        raise UserError(message)
    async with AsyncExitStack() as stack:
        proposer = await stack.enter_async_context(proposing(origin))
        remote = proposer.remote
        again = await checkout.branch() == wish.branch
        if not again and not await checkout.is_new_over(remote):
            message = (
                f"what is checked out has commits that {remote.default_branch} on "
                f"GitHub lacks, and the pull request would have them, too: git switch "
                f"{remote.default_branch}, and once more"
            )
            raise UserError(message)
        made = await checkout.commit(files, branch=wish.branch, message=starter.TITLE)
        _tell(made, wish.branch)
        try:
            await checkout.push(remote, made.commit, wish.branch)
        except PushRefused as refused:
            raise UserError(_not_pushed(refused, wish.branch)) from refused
        body = starter.body(list(files), server=wish.server, actions=wish.actions)
        pull = await proposer.open(branch=wish.branch, title=starter.TITLE, body=body)
    typer.echo(f"Pull request #{pull.number}: {pull.url}")


async def _files(wish: Wish, checkout: Checkout, git: Git) -> Mapping[str, str]:
    server = starter.server_address(wish.server) if wish.server else ""
    vibe = starter.vibe_yml(
        board=wish.board,
        column=wish.column,
        files=checkout.read(starter.TELLING),
        actions=bool(server),
    )
    files = {FILE: vibe, starter.SCHEMA: starter.schema()}
    if wish.actions:
        pin = Pin.parse(wish.action, __version__) if wish.action else await _pin(git)
        folder = shipped("workflows")
        texts = {path.name: path.read_text() for path in folder.glob("*.yml")}
        files |= starter.workflows(texts, pin, server=server, previews=wish.previews)
    return files


# --- Which commit of which repository this is ---------------------------------------


async def _pin(git: Git) -> Pin:
    """The commit this was installed from; raises UserError if nobody knows."""
    text = metadata.distribution("vibeboard").read_text("direct_url.json")
    found = await installed_from(git, text or "{}")
    if found is None:
        message = (
            "this installation does not say which commit of which repository on GitHub "
            "it is: tell what workflows shall use, --action OWNER/REPOSITORY@COMMIT "
            "(COMMIT has 40 hexadecimal digits), or install from git: pip install "
            "git+https://github.com/OWNER/REPOSITORY@COMMIT"
        )
        raise UserError(message)
    origin, commit = found
    return Pin(origin.repository, commit, __version__)


async def installed_from(git: Git, direct_url: str) -> tuple[Origin, str] | None:
    """What pip wrote down (PEP 610), or the checkout that it points at."""
    url = json.loads(direct_url)
    address = str(url.get("url", ""))
    if "vcs_info" in url:
        origin = origin_of(address)
        return (origin, url["vcs_info"]["commit_id"]) if origin else None
    if not address.startswith("file://"):
        return None
    place = Path(address.removeprefix("file://"))
    if not (place / ".git").exists():
        return None
    source = Checkout.around(git, place)
    origin, head = await source.origin(), await source.head()
    # A commit that only this machine has is nothing that a runner can fetch.
    return (origin, head) if origin and await source.is_published(head) else None


# --- What is told -------------------------------------------------------------------


def _tell(made: Made, branch: str) -> None:
    if made.paths:
        typer.echo(f"Committed to the branch {branch}, which is checked out now:")
        for path in made.paths:
            typer.echo(f"  {path}")
    else:
        typer.echo(f"All is there already, on the branch {branch}.")


def _tell_next(origin: Origin | None, branch: str) -> None:
    typer.echo("Look at it, change it, commit that. Then:")
    typer.echo(f"  git push --set-upstream origin {branch}")
    if origin is not None:
        typer.echo(f"and open {origin.web}/{origin.repository}/pull/new/{branch}")


def _not_pushed(refused: PushRefused, branch: str) -> str:
    return (
        f"{refused}\nThe commit is on the branch {branch} here. Push it yourself (git "
        f"push --set-upstream origin {branch}), or try again with credentials that "
        "may: a token with the scopes repo and workflow, or an App with the "
        "permissions contents and workflows"
    )
