"""Keeps secrets out of this process's environment, where others could read them.

What a process was started with can be read by its user's other processes for as long as
it lives, whatever it forgets. So the program starts itself once more without secrets,
and hands them to itself in memory. Nothing heavy is imported here.
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

_HANDED = "VIBEBOARD_HANDED"
_OURS = ("VIBEBOARD_ACTION_", "ACTIONS_")
_SECRET = ("TOKEN", "KEY", "SECRET", "PASSWORD")


def without_secrets(arguments: Sequence[str]) -> dict[str, str]:
    """The environment as it was given; what is left of it holds no secret.

    The first time this does not return: the program begins anew.
    """
    if _HANDED not in os.environ:
        _begin_anew(arguments)
    descriptor = int(os.environ.pop(_HANDED))
    with os.fdopen(descriptor, "rb") as handed:
        handed.seek(0)
        return {**os.environ, **json.load(handed)}


def _begin_anew(arguments: Sequence[str]) -> NoReturn:
    kept: dict[str, str] = {}
    handed: dict[str, str] = {}
    for name, value in os.environ.items():
        secret = name.startswith(_OURS) or name.upper().endswith(_SECRET)
        (handed if secret else kept)[name] = value
    descriptor = os.memfd_create("handed")
    os.write(descriptor, json.dumps(handed).encode())
    os.set_inheritable(descriptor, True)  # noqa: FBT003 - it has no name
    kept[_HANDED] = str(descriptor)
    program = [sys.executable, "-I", "-m", "vibeboard.action", *arguments]
    os.execve(sys.executable, program, kept)  # noqa: S606 - ourselves, without a shell
