"""Holds a command and all its descendants, and leaves none of them behind.

Run as a program of its own: ``python -I -S leash.py --name=value… -- argv``. It becomes
the reaper of everything the command starts, so a grandchild that daemonises (twice
``setsid``) is still found. When the command ends, when SIGTERM comes, or when the
process that started the leash dies, even by SIGKILL, everything below is ended:
TERM, a grace period, then STOP and KILL until nothing is left.

Only the standard library, and little of it: it must stand alone, and an agent waits for
its start.
What it cannot hold: a process with our own user id that kills the leash itself with
SIGKILL. Only a PID namespace holds that; around one, ``--deaf`` keeps the command that
makes it from ending on the TERM that is meant for those inside, and the first program
in it sees by ``ALIVE`` whether the leash still lives. ``--groups`` are control groups
to enter.
"""

import ctypes
import os
import resource
import sys
import time

TYPE_CHECKING = False  # importing it, and signal itself, takes 10 ms
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
KEYCTL = {"x86_64": 250, "aarch64": 219}
JOIN_SESSION_KEYRING = 1

ALIVE = 3  # a descriptor that ends when the leash does

NOT_FOUND = 127
NOT_EXECUTABLE = 126
KILLED = 128

_ASKED_TO_STOP = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_WATCHED = _ASKED_TO_STOP | {signal.SIGCHLD}
# Stray daemons get less time than a command that was asked to stop.
_STRAY_GRACE = 0.3
_KILL_DEADLINE = 10.0
_LOOK_EVERY = 0.5
_RESOURCES = {
    "core": resource.RLIMIT_CORE,
    "nofile": resource.RLIMIT_NOFILE,
    "fsize": resource.RLIMIT_FSIZE,
    "data": resource.RLIMIT_DATA,
}


def descendants(root: int) -> list[int]:
    """Every living process below ``root``, nearest first; zombies are not living."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            try:
                stat = _read(f"{entry.path}/stat")
                # The name in parentheses may itself hold spaces and parentheses.
                state, parent = stat[stat.rindex(b")") + 2 :].split()[:2]
            except (OSError, ValueError):
                continue
            pid = int(entry.name)
            children.setdefault(int(parent), []).append(
                -pid if state in (b"Z", b"X") else pid
            )
    found: list[int] = []
    waiting = [root]
    while waiting:
        for pid in children.get(waiting.pop(0), ()):
            waiting.append(abs(pid))
            if pid > 0:
                found.append(pid)
    return found


class Leash:
    """One command and what it started."""

    def __init__(
        self,
        argv: list[str],
        limits: dict[str, int],
        *,
        deaf: bool = False,
        groups: tuple[str, ...] = (),
    ) -> None:
        self._argv = argv
        self._limits = limits
        self._deaf = deaf
        self._groups = groups
        self._main = 0
        self._status: int | None = None

    def hold(self, parent: int, grace: float, most: int) -> int:
        """Start the command and wait; the exit status that tells how it ended."""
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            # The parent died before it could be watched.
            return KILLED + signal.SIGTERM
        self._main = self._start(libc)
        self._wait_for_end_or_request(grace, most)
        self._end_all(_STRAY_GRACE)
        return KILLED + signal.SIGKILL if self._status is None else self._status

    def _start(self, libc: ctypes.CDLL) -> int:
        # Python may add LC_CTYPE to its own environment; the command gets exactly
        # what we were given.
        environment = dict(
            pair.split(b"=", 1)
            for pair in _read("/proc/self/environ").split(b"\0")
            if b"=" in pair
        )
        leash, (alive, end) = os.getpid(), os.pipe()
        pid = os.fork()
        if pid:
            os.close(alive)
            return pid
        try:
            os.setsid()
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != leash:
                os._exit(KILLED + signal.SIGKILL)  # it died before that was heard
            for group in self._groups:
                _enter(group)
            if number := KEYCTL.get(os.uname().machine):
                # Keys that the kernel keeps for whoever started us are not passed on.
                libc.syscall(number, JOIN_SESSION_KEYRING, None)
            for name, value in self._limits.items():
                _, hard = resource.getrlimit(_RESOURCES[name])
                if hard != resource.RLIM_INFINITY:
                    value = min(value, hard)  # noqa: PLW2901 - never above the host's
                resource.setrlimit(_RESOURCES[name], (value, value))
            # Python ignores these two; a command expects their defaults.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            if self._deaf:
                os.close(end)
                os.dup2(alive, ALIVE)
                os.set_inheritable(ALIVE, True)  # noqa: FBT003 - it has no name
                for number in _ASKED_TO_STOP:
                    signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.execvpe(self._argv[0], self._argv, environment)  # noqa: S606 - the point
        except FileNotFoundError as error:
            _complain(f"{self._argv[0]}: {error.strerror}")
            os._exit(NOT_FOUND)
        except OSError as error:
            _complain(f"{self._argv[0]}: {error.strerror}")
            os._exit(NOT_EXECUTABLE)
        finally:
            os._exit(NOT_EXECUTABLE)

    def _wait_for_end_or_request(self, grace: float, most: int) -> None:
        while self._status is None:
            received = signal.sigtimedwait(_WATCHED, _LOOK_EVERY)
            self._reap()
            if self._status is not None:
                return
            if received is None:
                if len(descendants(os.getpid())) > most:
                    _complain(f"more than {most} processes: ended")
                    self._end_all(0)
                    return
            elif received.si_signo in _ASKED_TO_STOP:
                self._end_all(grace)
                return

    def _end_all(self, grace: float) -> None:
        """TERM, wait up to ``grace`` seconds (less when asked again), then KILL."""
        asked: set[int] = set()
        deadline = time.monotonic() + grace
        while self._anything_left() and (left := deadline - time.monotonic()) > 0:
            # Again and again: a shell may start one more child before it listens.
            for pid in set(descendants(os.getpid())) - asked:
                _send(pid, signal.SIGTERM)
                asked.add(pid)
            received = signal.sigtimedwait(_WATCHED, min(left, 0.05))
            if received and received.si_signo in _ASKED_TO_STOP:
                break
        deadline = time.monotonic() + _KILL_DEADLINE
        while self._anything_left():
            self._kill_round()
            if time.monotonic() > deadline:
                _complain(f"processes that do not die: {descendants(os.getpid())}")
                return

    def _kill_round(self) -> None:
        # Stopped processes cannot fork, so a fork bomb does not outrun the kill.
        stopped: set[int] = set()
        while new := set(descendants(os.getpid())) - stopped:
            for pid in new:
                _send(pid, signal.SIGSTOP)
            stopped |= new
        for pid in stopped:
            _send(pid, signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, 0.02)

    def _anything_left(self) -> bool:
        self._reap()
        return bool(descendants(os.getpid()))

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self._main:
                code = os.waitstatus_to_exitcode(status)
                self._status = code if code >= 0 else KILLED - code


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _enter(group: str) -> None:
    """Go into a control group, with all that will be started."""
    with open(f"{group}/cgroup.procs", "w") as file:  # noqa: PTH123 - pathlib takes 5 ms to import
        file.write("0")


def _complain(text: str) -> None:
    try:
        os.write(2, f"{text}\n".encode(errors="replace"))
    except OSError:
        return


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes 5 ms to import
        return file.read()


def main() -> int:
    """Hold the command behind ``--``, as the ``--name=value`` before it say."""
    end = sys.argv.index("--")
    given = dict(option[2:].split("=", 1) for option in sys.argv[1:end])
    limits = {name: int(given[name]) for name in _RESOURCES if name in given}
    leash = Leash(
        sys.argv[end + 1 :],
        limits,
        deaf="deaf" in given,
        groups=tuple(filter(None, given.get("groups", "").split(":"))),
    )
    return leash.hold(
        int(given["parent"]), float(given["grace"]), int(given["processes"])
    )


if __name__ == "__main__":
    sys.exit(main())
