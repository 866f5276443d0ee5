"""Confines itself by Landlock, then becomes a command: a cell where there is no better.

Run as a program of its own: ``python -I -S confine.py --write=… --read=… -- argv``. It
holds which files can be read and written, and, where the kernel can, signals and
abstract sockets to others. It does not hold the network, and processes of others are
still to be seen.

Only the standard library, and little of it: it must stand alone, and an agent waits for
its start.
"""

import ctypes
import os
import struct
import sys

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same number on every architecture
_ASK_VERSION = 1
_BENEATH = 1
_NO_NEW_PRIVILEGES = 38
_DROP_FROM_BOUND, _SET_SECURE_BITS, _AMBIENT, _CLEAR_ALL = 24, 28, 47, 4
_ROOT_IS_NOBODY = 0b1111  # being root gives no capability, now and for ever
_CAPABILITIES = 64
_CAPABILITIES_VERSION = 0x20080522

_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_ALL_OF_VERSION_1 = (1 << 13) - 1
_REFER, _TRUNCATE, _DEVICES = 1 << 13, 1 << 14, 1 << 15  # of versions 2, 3 and 5
_SCOPES = 0b11  # abstract sockets and signals, of version 6
_OF_A_FILE = _EXECUTE | _WRITE | _READ | _TRUNCATE | _DEVICES

NOT_CONFINED = 125
NOT_FOUND = 127
NOT_EXECUTABLE = 126


def version() -> int:
    """Which Landlock the kernel has; 0 for none."""
    known: int = ctypes.CDLL(None).syscall(_CREATE, None, 0, _ASK_VERSION)
    return max(0, known)


class Rules:
    """Rules that are in force for this process and all it starts, once they are."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        known = version()
        if not known:
            raise OSError("this kernel has no Landlock")
        self._handled = _ALL_OF_VERSION_1
        for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _DEVICES)):
            if known >= since:
                self._handled |= right
        scopes = _SCOPES if known >= 6 else 0  # noqa: PLR2004 - a version
        size = 24 if known >= 6 else 16 if known >= 4 else 8  # noqa: PLR2004 - versions
        given = struct.pack("QQQ", self._handled, 0, scopes)[:size]
        self._rules = self._call(_CREATE, given, len(given), 0)

    def allow(self, place: str, *, write: bool) -> None:
        """Let a file, or all below a folder, be read, and written if so; if there."""
        try:
            found = os.open(place, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        rights = self._handled if write else _EXECUTE | _READ | _LIST
        if not os.path.isdir(place):  # noqa: PTH112 - pathlib takes 5 ms to import
            rights &= _OF_A_FILE
        given = struct.pack("=Qi", rights & self._handled, found)
        self._call(_ADD, self._rules, _BENEATH, given, 0)
        os.close(found)

    def obey(self) -> None:
        """From now on, and without the rights of root.

        With those the kernel shows the memory and environment of other processes
        although Landlock would not.
        """
        for capability in range(_CAPABILITIES):
            self._libc.prctl(_DROP_FROM_BOUND, capability, 0, 0, 0)
        self._libc.prctl(_SET_SECURE_BITS, _ROOT_IS_NOBODY, 0, 0, 0)
        self._libc.prctl(_AMBIENT, _CLEAR_ALL, 0, 0, 0)
        header = struct.pack("Ii", _CAPABILITIES_VERSION, 0)
        if self._libc.capset(header, struct.pack("6I", *[0] * 6)):
            raise OSError(ctypes.get_errno(), "capset")
        if self._libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        self._call(_RESTRICT, self._rules, 0)

    def _call(self, number: int, *given: object) -> int:
        result: int = self._libc.syscall(number, *given)
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result


def main() -> None:
    """Become the command behind ``--``, confined as told before it."""
    end = sys.argv.index("--")
    argv = sys.argv[end + 1 :]
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123 - pathlib takes 5 ms to import
        given = file.read().split(b"\0")
    environment = dict(pair.split(b"=", 1) for pair in given if b"=" in pair)
    try:
        rules = Rules()
        for option in sys.argv[1:end]:
            how, place = option.removeprefix("--").split("=", 1)
            rules.allow(place, write=how == "write")
        rules.obey()
    except OSError as error:
        os.write(2, f"Landlock: {error}\n".encode(errors="replace"))
        os._exit(NOT_CONFINED)
    try:
        os.execvpe(argv[0], argv, environment)  # noqa: S606 - the point
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode(errors="replace"))
        missing = isinstance(error, FileNotFoundError)
        os._exit(NOT_FOUND if missing else NOT_EXECUTABLE)


if __name__ == "__main__":
    main()
