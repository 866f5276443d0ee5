"""The machine's limit: the same door, an append to a file, and a shared ``fdatasync``.

Nothing that is durable can do less: no index, no check for duplicates, no database.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue

from vibeboard.engine.ports import Kept, Told


class Log:
    """Satisfies the webhook's ``Keeper`` with a file to append to."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._queue: deque[tuple[bytes, Told]] = deque()
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._called = False
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, daemon=True).start()

    def keep(
        self,
        *,
        hook: str,
        guid: str,
        event: str,
        headers: Mapping[str, str],
        body: bytes,
        told: Told,
    ) -> None:
        """Append, flush, and only then answer."""
        del headers
        self._queue.append((f"{hook} {guid} {event}\n".encode() + body, told))
        if not self._called:
            self._called = True
            self._calls.put(None)

    def _run(self) -> None:
        while True:
            self._calls.get()
            self._called = False
            while self._queue:
                group = [self._queue.popleft() for _ in range(len(self._queue))]
                os.write(self._file, b"".join(record for record, _ in group))
                os.fdatasync(self._file)
                self._loop.call_soon_threadsafe(_tell, group)


def _tell(group: list[tuple[bytes, Told]]) -> None:
    for _, told in group:
        told(Kept.NEW)
