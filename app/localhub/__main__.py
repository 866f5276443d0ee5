"""The command `localhub`: serve a seeded hub until interrupted."""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from localhub import seed
from localhub.running import start
from localhub.state import Hub


def options() -> argparse.ArgumentParser:
    """The command line, for the program and for its reference page."""
    parser = argparse.ArgumentParser(
        prog="localhub", description="A GitHub small enough for a laptop."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8765, help="0 takes a free one")
    parser.add_argument("--seed", type=Path, help="YAML file that fills the hub")
    parser.add_argument("--record", type=Path, help="folder to write calls to")
    parser.add_argument(
        "--local-repository",
        action="append",
        type=_local_repository,
        metavar="OWNER/NAME@REF=FOLDER",
        help="folder with an action that jobs use; may be given more than once",
    )
    parser.add_argument("--json", action="store_true", help="ready line as JSON")
    return parser


def _local_repository(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not equals or "/" not in name or "@" not in name:
        raise argparse.ArgumentTypeError(f"{text!r} is not OWNER/NAME@REF=FOLDER")
    if not Path(folder).is_dir():
        raise argparse.ArgumentTypeError(f"{folder} is no folder")
    return name, Path(folder).resolve()


async def _serve(given: argparse.Namespace, root: Path) -> None:
    hub = Hub(root)
    if given.seed is not None:
        seed.load(hub, given.seed)
    running = await start(
        hub,
        given.host,
        given.port,
        given.record,
        local_repositories=dict(given.local_repository or ()),
    )
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    ready = {
        "url": running.url,
        "api_url": hub.api_url,
        "graphql_url": f"{running.url}/api/graphql",
    }
    line = f"localhub is ready: {running.url}  REST {hub.api_url}"
    if not given.json and (idle := running.fleet.why_idle()):
        line += f"\n{idle}"
    print(json.dumps(ready) if given.json else line, flush=True)  # noqa: T201 - what a program prints
    try:
        await stopped.wait()
    finally:
        await running.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until interrupted; a seed that cannot be used ends with status 2."""
    given = options().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="localhub-") as root:
        try:
            asyncio.run(_serve(given, Path(root)))
        except (seed.SeedRefused, OSError) as wrong:
            print(f"localhub: {wrong}", file=sys.stderr)  # noqa: T201 - what a program prints
            raise SystemExit(2) from None


if __name__ == "__main__":
    main()
