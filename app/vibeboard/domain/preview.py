"""Where a change can be looked at: what deployments on GitHub tell of its previews.

Whoever deploys it (a workflow of the team's, Vercel, Netlify, …) tells GitHub, and we
show where it is. A name or address of theirs is a stranger's word.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from vibeboard.domain.markdown import inline

_ADDRESS = re.compile(r"https?://[^\s<>()\[\]\"'`\\]{1,500}")
_BEGIN = "<!-- vibe:preview -->"
_END = "<!-- /vibe:preview -->"
_EMPTY = f"{_BEGIN}{_END}"


class PreviewState(Enum):
    """How a deployment stands, as far as people who want to look care."""

    READY = "ready"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True)
class Preview:
    """One deployment of ``commit``.

    ``id`` grows: of one environment's deployments the latest counts. ``log`` is where
    its log is. Addresses that are not the web's are left out, as ``address`` does.
    """

    id: int
    environment: str
    commit: str
    state: PreviewState
    url: str = ""
    log: str = ""


def address(text: str | None) -> str:
    """The web address, or nothing if it is none that can be shown as a link."""
    return text if text and _ADDRESS.fullmatch(text) else ""


def merged(known: Iterable[Preview], found: Iterable[Preview]) -> tuple[Preview, ...]:
    """The newest of each environment, without those that are gone, by name."""
    newest: dict[str, Preview] = {}
    for one in (*known, *found):
        if one.environment not in newest or newest[one.environment].id <= one.id:
            newest[one.environment] = one
    there = [one for one in newest.values() if one.state is not PreviewState.GONE]
    return tuple(sorted(there, key=lambda one: one.environment))


def told(previews: Iterable[Preview]) -> str:
    """All previews on one line, each with its commit: it may not be the newest."""
    return " · ".join(_one(preview) for preview in previews)


def _one(preview: Preview) -> str:
    name, commit = inline(preview.environment, 80), f"`{preview.commit[:7]}`"
    if preview.state is PreviewState.FAILED:
        log = f" ([log]({preview.log}))" if preview.log else ""
        return f"{name} of {commit} failed{log}"
    return f"[{name}]({preview.url}) of {commit}"


def place(body: str | None) -> str:
    """Where a pull request's text shows its previews, with those it shows already."""
    begin, end = (body or "").find(_BEGIN), (body or "").find(_END)
    return body[begin : end + len(_END)] if body and 0 <= begin < end else _EMPTY


def in_body(body: str, previews: Iterable[Preview]) -> str:
    """A pull request's text that shows the previews where it has a place for them."""
    begin, end = body.find(_BEGIN), body.find(_END)
    if not 0 <= begin < end:
        return body  # a person took it out
    line = told(previews)
    shown = f"{_BEGIN}\n**Preview:** {line}\n{_END}" if line else _EMPTY
    return body[:begin] + shown + body[end + len(_END) :]


def found(previews: Sequence[Preview], pull_request: int, head: str) -> str:
    """The answer to whoever asked for previews."""
    if previews:
        return f"Preview of #{pull_request}: {told(previews)}"
    return (
        f"There is no preview of #{pull_request} (`{head[:7]}`): nobody has told "
        "GitHub of a deployment of that commit. What deploys it has to, as "
        "`preview.yml` does."
    )


def nothing_to_preview() -> str:
    """The answer where there is no pull request."""
    return "There is nothing to look at yet: this issue has no pull request of mine."


def not_allowed() -> str:
    """The answer where GitHub does not show us deployments."""
    return (
        "GitHub does not show me deployments here. The App, or the job, needs the "
        "permission *Deployments: read*."
    )
