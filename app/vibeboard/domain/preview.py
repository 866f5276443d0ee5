"""Where a change can be looked at: what deployments on GitHub tell of its previews.

Whoever deploys it (a workflow of the team's, Vercel, Netlify, …) tells GitHub, and we
show where it is. A name or address of theirs is a stranger's word.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from vibeboard.domain.markdown import inline

_ADDRESS = re.compile(r"https?://[^\s<>()\[\]\"'`\\]{1,500}")
_BEGIN = "<!-- vibe:preview -->"
_END = "<!-- /vibe:preview -->"
PLACE = f"{_BEGIN}{_END}"
"""Where a pull request's text has its previews."""


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


def told(previews: Iterable[Preview], head: str | None) -> str:
    """All previews on one line; ``head`` is the commit that needs no mention."""
    return " · ".join(_one(preview, head) for preview in previews)


def _one(preview: Preview, head: str | None) -> str:
    name = inline(preview.environment, 80)
    of = "" if preview.commit == head else f" (of `{preview.commit[:7]}`)"
    if preview.state is PreviewState.FAILED:
        log = f" ([log]({preview.log}))" if preview.log else ""
        return f"{name} failed{log}{of}"
    return f"[{name}]({preview.url}){of}"


def in_body(body: str, previews: Iterable[Preview], head: str | None) -> str:
    """A pull request's text that shows the previews where it has a place for them."""
    begin, end = body.find(_BEGIN), body.find(_END)
    if not 0 <= begin < end:
        return body  # a person took it out
    line = told(previews, head)
    shown = f"{_BEGIN}\n**Preview:** {line}\n{_END}" if line else PLACE
    return body[:begin] + shown + body[end + len(_END) :]


def found(previews: tuple[Preview, ...], pull_request: int, head: str) -> str:
    """The answer to whoever asked for previews."""
    if previews:
        return f"Preview of #{pull_request}: {told(previews, head)}"
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
