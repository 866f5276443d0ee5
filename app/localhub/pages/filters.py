"""How values look on a page: ages, colours, emoji, paths."""

import json
from collections.abc import Callable
from colorsys import rgb_to_hsv
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment
from markupsafe import Markup

from localhub.markdown import to_html
from localhub.state import (
    Hub,
    Issue,
    Organization,
    Project,
    PullRequest,
    Reaction,
    Repository,
)

_EMOJI = {
    "+1": "👍",
    "-1": "👎",
    "laugh": "😄",
    "confused": "😕",
    "heart": "❤️",
    "hooray": "🎉",
    "rocket": "🚀",
    "eyes": "👀",
}
_TONES = ("blue", "green", "orange", "pink", "purple", "yellow")
_HUES = {
    "red": (0, 20),
    "orange": (20, 42),
    "yellow": (42, 70),
    "green": (70, 170),
    "blue": (170, 240),
    "purple": (240, 295),
    "pink": (295, 345),
}


def board_path(project: Project) -> str:
    """Give a board's page."""
    kind = "orgs" if isinstance(project.owner, Organization) else "users"
    return f"/{kind}/{project.owner.login}/projects/{project.number}"


def issue_path(issue: Issue) -> str:
    """Give the page of an issue or pull request."""
    kind = "pull" if isinstance(issue, PullRequest) else "issues"
    return f"/{issue.repository.full_name}/{kind}/{issue.number}"


def color_tone(color: str) -> str:
    """Choose the nearest of our tones, which fit light and dark, for a label."""
    try:
        red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (0, 2, 4))
    except ValueError:
        return "tone-gray"
    hue, saturation, _ = rgb_to_hsv(red, green, blue)
    if saturation < 0.12:  # noqa: PLR2004  (nearly gray)
        return "tone-gray"
    for tone, (low, high) in _HUES.items():
        if low <= hue * 360 < high:
            return f"tone-{tone}"
    return "tone-red"


def login_tone(login: str) -> str:
    """Give each account a colour that stays."""
    return f"tone-{_TONES[sum(login.encode()) % len(_TONES)]}"


def reaction_counts(reactions: list[Reaction]) -> list[tuple[str, list[str]]]:
    """Group reactions: what, and by whom."""
    groups: dict[str, list[str]] = {}
    for one in reactions:
        groups.setdefault(one.content, []).append(one.user.login)
    return list(groups.items())


def markdown(text: str, repository: Repository) -> Markup:
    """Render Markdown; the renderer made it safe."""
    html = to_html(text, repository_path=f"/{repository.full_name}")
    return Markup(html)  # noqa: S704  (sanitised there)


def safe_url(url: str) -> str:
    """Let through web addresses only."""
    return url if urlsplit(url).scheme in {"http", "https"} else "#"


def pretty(body: str) -> str:
    """Indent a payload."""
    return json.dumps(json.loads(body), indent=2) if body else ""


def ago_at(clock: Callable[[], datetime]) -> Callable[[str], str]:
    """Tell ages by the hub's clock."""

    def ago(stamp: str) -> str:
        then = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        seconds = int((clock() - then).total_seconds())
        for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
            if seconds >= size:
                count = seconds // size
                return f"{count} {unit}{'' if count == 1 else 's'} ago"
        return "just now"

    return ago


def install(environment: Environment, hub: Hub) -> None:
    """Make the filters known to the templates."""
    filters: dict[str, Callable[..., Any]] = {
        "ago": ago_at(hub.clock),
        "board_path": board_path,
        "issue_path": issue_path,
        "color_tone": color_tone,
        "login_tone": login_tone,
        "reaction_counts": reaction_counts,
        "emoji": lambda content: _EMOJI[content],
        "markdown": markdown,
        "safe_url": safe_url,
        "pretty": pretty,
    }
    environment.filters.update(filters)
    environment.tests["pull"] = lambda one: isinstance(one, PullRequest)
