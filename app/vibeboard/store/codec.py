"""Frozen dataclasses to JSON and back, checked by pydantic on the way in."""

from typing import Any

from pydantic import TypeAdapter

from vibeboard.domain.run import Posting, Remark, Report
from vibeboard.domain.tools import ToolCall

_REPORT = TypeAdapter(Report)
_REMARKS = TypeAdapter(tuple[Remark, ...])
_POSTING = TypeAdapter(Posting)
_CALL = TypeAdapter(ToolCall)


def dump_report(report: Report) -> Any:
    """A report as JSON values."""
    return _REPORT.dump_python(report, mode="json")


def load_report(value: Any) -> Report:
    """A report from JSON values."""
    return _REPORT.validate_python(value)


def dump_remarks(remarks: tuple[Remark, ...]) -> Any:
    """Remarks as JSON values."""
    return _REMARKS.dump_python(remarks, mode="json")


def load_remarks(value: Any) -> tuple[Remark, ...]:
    """Remarks from JSON values."""
    return _REMARKS.validate_python(value)


def dump_posting(posting: Posting) -> Any:
    """A posting as JSON values."""
    return _POSTING.dump_python(posting, mode="json")


def load_posting(value: Any) -> Posting:
    """A posting from JSON values."""
    return _POSTING.validate_python(value)


def dump_call(call: ToolCall) -> Any:
    """A call of a tool as JSON values."""
    return _CALL.dump_python(call, mode="json")


def load_call(value: Any) -> ToolCall:
    """A call of a tool from JSON values."""
    return _CALL.validate_python(value)
