"""The first program in a cell: gives ways out to a command that has no network.

Run as a program of its own: ``python -I -S inside.py --way=PORT:SOCKET… -- argv``. What
connects to a port of the cell's own loopback comes out at the Unix socket, behind
which the gateway or the proxy answers. When the command ends, so does the cell.

Only the standard library, and little of it: it must stand alone, and an agent waits for
its start.
"""

import contextlib
import os
import signal
import socket
import sys
import threading

# While bubblewrap makes the cell, it does not hear that the leash has died. So we look
# once ourselves: from here on it does.
ALIVE = 3
KILLED = 128
NOT_FOUND = 127
NOT_EXECUTABLE = 126
# Whoever starts the cell lets it be deaf to these, so that it outlasts the command.
DEAF_TO = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _pass_on(giver: socket.socket, taker: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := giver.recv(65536):
            taker.sendall(data)
    for end, how in ((giver, socket.SHUT_RD), (taker, socket.SHUT_WR)):
        with contextlib.suppress(OSError):
            end.shutdown(how)


def _connect(client: socket.socket, path: str) -> None:
    with client, socket.socket(socket.AF_UNIX) as outside:
        try:
            outside.connect(path)
        except OSError:
            return
        back = threading.Thread(target=_pass_on, args=(outside, client), daemon=True)
        back.start()
        _pass_on(client, outside)
        back.join()


def _serve(listener: socket.socket, path: str) -> None:
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_connect, args=(client, path), daemon=True).start()


def _become(argv: list[str]) -> None:
    # Python may add LC_CTYPE to its own environment, and bubblewrap adds PWD; the
    # command gets exactly what we were given.
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123 - pathlib takes 5 ms to import
        given = file.read().split(b"\0")
    environment = dict(pair.split(b"=", 1) for pair in given if b"=" in pair)
    environment.pop(b"PWD", None)
    for number in (*DEAF_TO, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(argv[0], argv, environment)  # noqa: S606 - the point
    except OSError as error:
        with contextlib.suppress(OSError):
            os.write(2, f"{argv[0]}: {error.strerror}\n".encode(errors="replace"))
        missing = isinstance(error, FileNotFoundError)
        os._exit(NOT_FOUND if missing else NOT_EXECUTABLE)


def _is_held() -> bool:
    """Whether the leash lives that all this hangs on."""
    os.set_blocking(ALIVE, False)
    try:
        return os.read(ALIVE, 1) != b""
    except BlockingIOError:
        return True
    finally:
        os.close(ALIVE)


def main() -> int:
    """Run the command behind ``--`` with the ways named before it."""
    if not _is_held():
        return KILLED + signal.SIGKILL
    end = sys.argv.index("--")
    ways = [option.removeprefix("--way=").split(":", 1) for option in sys.argv[1:end]]
    listeners = [
        (socket.create_server(("127.0.0.1", int(port)), backlog=64), path)
        for port, path in ways
    ]
    if not listeners:
        _become(sys.argv[end + 1 :])
    pid = os.fork()
    if not pid:
        _become(sys.argv[end + 1 :])
    for listener, path in listeners:
        threading.Thread(target=_serve, args=(listener, path), daemon=True).start()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else KILLED - code


if __name__ == "__main__":
    os._exit(main())
