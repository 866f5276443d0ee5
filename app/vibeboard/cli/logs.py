"""Logs as events: a stable message, and data as fields."""

import json
import logging
import sys
from datetime import UTC, datetime

from vibeboard.engine.context import fields

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with its fields."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "from": record.name,
        }
        line |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class About(logging.Filter):
    """Adds to each record what is being worked on, unless it says so itself."""

    def __init__(self, **always: str) -> None:
        super().__init__()
        self._always = always

    def filter(self, record: logging.LogRecord) -> bool:
        """Let it pass, with the fields."""
        for name, value in {**self._always, **fields()}.items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


def log_to_stderr(level: str = "INFO", **always: str) -> None:
    """Send our own events to standard error, others' warnings too.

    Every line has the fields of ``always``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(About(**always))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("vibeboard").setLevel(level)
