"""Upgrades a database; told a number, it kills itself before that statement."""

import os
import signal
import sys
from typing import Any

from sqlalchemy import event

from vibeboard.errors import SettingsInvalid
from vibeboard.store import migrate
from vibeboard.store.database import open_database


def main(url: str, last: int) -> None:
    database = open_database(url)
    statements = 0

    def count(*call: Any) -> None:
        nonlocal statements
        del call
        statements += 1
        if statements == last:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(database.sync_engine, "before_cursor_execute", count)
    sys.stdin.readline()  # the test says when
    try:
        before, after = migrate.upgrade(database)
    except SettingsInvalid as error:
        sys.exit(str(error))
    sys.stdout.write(f"{before} {after} {statements}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
