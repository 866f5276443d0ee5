"""The one way in which the local GitHub says no.

Operations raise `Refused`; REST turns it into a status and GitHub's error body, GraphQL
into an entry of `errors`, a page into a line of text.
"""

from typing import Any


class Refused(Exception):  # noqa: N818  (the word is the event)
    """A request that GitHub would refuse, with its status and message."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = headers or {}


def not_found() -> Refused:
    """Hide a thing: absent and forbidden look the same."""
    return Refused(404, "Not Found")


def invalid(resource: str, field: str, code: str, message: str = "") -> Refused:
    """Refuse one field of a request the way GitHub's validations do."""
    problem = {"resource": resource, "field": field, "code": code}
    if message:
        problem["message"] = message
    return Refused(422, "Validation Failed", errors=[problem])


def custom(resource: str, message: str) -> Refused:
    """Refuse a request as a whole, with a sentence."""
    problem = {"resource": resource, "code": "custom", "message": message}
    return Refused(422, "Validation Failed", errors=[problem])


def forbidden() -> Refused:
    """Refuse an installation token that lacks a permission."""
    return Refused(403, "Resource not accessible by integration")
