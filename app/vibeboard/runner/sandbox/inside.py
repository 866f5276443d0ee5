"""The first program in a cell: gives ways out to a command that has no network.

Run as a program of its own: ``python -I -S inside.py --way=PORT:SOCKET… -- argv``. What
connects to a port of the cell's own loopback comes out at the Unix socket, behind
which the gateway or the proxy answers. When the command ends, so does the cell.

Only the standard library, and little of it: it must stand alone, and an agent waits for
its start.
"""

import _socket
import _thread
import os
import sys

TYPE_CHECKING = False  # importing it, and signal itself, takes 10 ms
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal

# While bubblewrap makes the cell, it does not hear that the leash has died. So we look
# once ourselves: from here on it does.
ALIVE = 3
KILLED = 128
NOT_FOUND = 127
NOT_EXECUTABLE = 126
# Whoever starts the cell lets it be deaf to these, so that it outlasts the command.
DEAF_TO = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _listener(port: int) -> _socket.socket:
    made = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    made.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen(64)
    return made


def _pass_on(giver: _socket.socket, taker: _socket.socket) -> None:
    try:
        while data := giver.recv(65536):
            taker.sendall(data)
    except OSError:
        pass  # both hear of the end
    for end, how in ((giver, _socket.SHUT_RD), (taker, _socket.SHUT_WR)):
        try:
            end.shutdown(how)
        except OSError:
            continue


def _connect(client: _socket.socket, path: str) -> None:
    outside = _socket.socket(_socket.AF_UNIX)
    there = _thread.allocate_lock()

    def back() -> None:
        _pass_on(outside, client)
        there.release()

    try:
        outside.connect(path)
        there.acquire()
        _thread.start_new_thread(back, ())
        _pass_on(client, outside)
        there.acquire()
    except OSError:
        return
    finally:
        client.close()
        outside.close()


def _serve(listener: _socket.socket, path: str) -> None:
    # The command runs by now; who connects meanwhile waits in line.
    import socket  # noqa: PLC0415 - see above

    door = socket.socket(fileno=listener.detach())
    while True:
        client, _ = door.accept()
        _thread.start_new_thread(_connect, (client, path))


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
        missing = isinstance(error, FileNotFoundError)
        try:
            os.write(2, f"{argv[0]}: {error.strerror}\n".encode(errors="replace"))
        finally:
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
    listeners = [(_listener(int(port)), path) for port, path in ways]
    if not listeners:
        _become(sys.argv[end + 1 :])
    pid = os.fork()
    if not pid:
        _become(sys.argv[end + 1 :])
    for way in listeners:
        _thread.start_new_thread(_serve, way)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else KILLED - code


if __name__ == "__main__":
    os._exit(main())
