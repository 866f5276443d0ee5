"""Runs the product's commands with a few of its own calls wired to a signal to itself.

The program imports the product once and forks a process for each command, because
tests that kill servers start very many. Orders come on standard input, one a line in
JSON, and each is answered with the process's number. How it ended is written to the
file ``code``.
"""

import functools
import inspect
import itertools
import json
import os
import re
import runpy
import select
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

_LOOK_EVERY = 0.02


def wire(point: dict[str, Any]) -> None:
    """Send the signal just before or after the n-th call that fits."""
    module, _, path = point["at"].partition(":")
    owner: Any = import_module(module)
    *way, name = path.split(".")
    for step in way:
        owner = getattr(owner, step)
    setattr(owner, name, _wired(getattr(owner, name), point))


def _wired(function: Callable[..., Any], point: dict[str, Any]) -> Callable[..., Any]:
    calls = itertools.count(1)

    def strikes(given: tuple[Any, ...]) -> bool:
        if not re.search(point["given"], " ".join(map(str, given))):
            return False
        nth: int = point["nth"]
        return next(calls) == nth

    def strike(when: str) -> None:
        if when == point["when"]:
            os.kill(os.getpid(), signal.Signals[point["signal"]])
            while point["signal"] == "SIGKILL":
                time.sleep(1)

    @functools.wraps(function)
    async def awaited(*given: Any, **named: Any) -> Any:
        if not strikes(given[1:]):
            return await function(*given, **named)
        strike("before")
        answer = await function(*given, **named)
        strike("after")
        return answer

    @functools.wraps(function)
    def called(*given: Any, **named: Any) -> Any:
        if not strikes(given[1:]):
            return function(*given, **named)
        strike("before")
        answer = function(*given, **named)
        strike("after")
        return answer

    return awaited if inspect.iscoroutinefunction(function) else called


def begin(order: dict[str, Any]) -> None:
    """Become the command; in the forked process."""
    for stream, name in enumerate(("/dev/null", order["out"], order["err"])):
        flags = os.O_WRONLY if stream else os.O_RDONLY
        handle = os.open(name, flags)
        os.dup2(handle, stream)
        os.close(handle)
    os.environ.clear()
    os.environ.update(order["environment"])
    for point in order["points"]:
        wire(point)
    if program := order["program"]:
        sys.argv = [program, *order["arguments"]]
        runpy.run_path(program, run_name="__main__")
        return
    sys.argv = ["vibeboard", *order["arguments"]]
    import_module("vibeboard.cli.main").run_cli()


def obey() -> None:
    """Fork until there are no more orders."""
    codes: dict[int, Path] = {}
    while True:
        if select.select([0], [], [], _LOOK_EVERY if codes else None)[0]:
            line = os.read(0, 1 << 20)
            if not line:
                return
            order = json.loads(line)
            pid = os.fork()
            if not pid:
                begin(order)
                return
            codes[pid] = Path(order["code"])
            os.write(1, f"{pid}\n".encode())
        bury(codes)


def bury(codes: dict[int, Path]) -> None:
    while codes:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        path = codes.pop(pid)
        whole = path.with_suffix(".whole")
        whole.write_text(str(os.waitstatus_to_exitcode(status)))
        whole.rename(path)


if __name__ == "__main__":
    import_module("vibeboard.cli.main")
    for each in ("vibeboard.cli.serve", "asyncpg", "psycopg", "aiosqlite", "uvloop"):
        import_module(each)
    obey()
