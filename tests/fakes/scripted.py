"""A program that plays its side of a protocol from a script, and notes what it heard.

Run as a program of its own: it finds its steps in the file beside it. A step is a pair
of a word and what it is about: ``say`` an object on one line, ``print`` text as it is,
wait ``until`` a line holds certain fields, ``complain``, ``exit``, ``die`` by SIGKILL,
or ``hang``.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Step = tuple[str, Any]


class Scripted:
    """The program made ready in a folder."""

    def __init__(self, folder: Path, *steps: Step) -> None:
        self.path = folder / "program"
        self.path.write_text(
            f"#!/bin/sh\nexec {sys.executable} -I -S {Path(__file__)} {self.path} $*\n"
        )
        self.path.chmod(0o755)
        self.path.with_suffix(".steps").write_text(json.dumps(steps))
        self.path.with_suffix(".heard").write_text("")

    @property
    def heard(self) -> list[dict[str, Any]]:
        """The objects that it was told, in order."""
        lines = self.path.with_suffix(".heard").read_text().splitlines()
        return [json.loads(line) for line in lines]


def holds(found: Any, wanted: Any) -> bool:
    """Whether ``found`` has all that ``wanted`` has."""
    if isinstance(wanted, Mapping):
        return isinstance(found, dict) and all(
            holds(found.get(key), value) for key, value in wanted.items()
        )
    return bool(found == wanted)


def lines(path: Path) -> Iterator[Any]:
    with path.with_suffix(".heard").open("a") as notes:
        for line in sys.stdin:
            notes.write(line)
            notes.flush()
            yield json.loads(line)


def play(path: Path) -> None:
    heard = lines(path)
    for word, about in json.loads(path.with_suffix(".steps").read_text()):
        match word:
            case "say":
                print(json.dumps(about), flush=True)  # noqa: T201 - its protocol
            case "print":
                sys.stdout.write(about)
                sys.stdout.flush()
            case "until":
                if not any(holds(found, about) for found in heard):
                    sys.exit(3)
            case "complain":
                sys.stderr.write(about + "\n")
            case "exit":
                sys.exit(about)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                signal.pause()
    for _ in heard:  # a program of this kind ends with its input
        pass


if __name__ == "__main__":
    play(Path(sys.argv[1]))
