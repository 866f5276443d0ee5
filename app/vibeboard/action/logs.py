"""Logs of a job, for people who read them on GitHub, a line an event."""

import json
import logging
import sys
from datetime import UTC, datetime

from vibeboard.engine.context import fields

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class Lines(logging.Formatter):
    """A time, what happened, and its fields: nothing that the runner could obey."""

    def format(self, record: logging.LogRecord) -> str:
        """The record on one line; a traceback follows, indented."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        given = {**fields(), **vars(record)}
        told = " ".join(
            f"{name}={json.dumps(value, default=str)}"
            for name, value in given.items()
            if name not in _STANDARD and value not in ("", None)
        )
        line = (
            f"{at} {record.levelname.lower():7} {record.getMessage()} {told}".rstrip()
        )
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            line += "".join(f"\n  {part}" for part in trace.splitlines())
        # The older form of commands is read anywhere in a line.
        return line.replace("##[", "## [")


def log_to_stdout() -> None:
    """Show our own events, and warnings of others."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Lines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("vibeboard").setLevel(logging.INFO)
