"""What GitHub sent us or tried to: the App's deliveries of the last three days.

Source: docs.github.com, "REST API endpoints for GitHub App webhooks".
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime

from vibeboard.engine.ports import HookDelivery
from vibeboard.github.answers import read
from vibeboard.github.client import GitHub
from vibeboard.github.objects import HookAttempt

_DELIVERIES = "/app/hook/deliveries"


class GitHubHookDeliveries:
    """Satisfies the port ``HookDeliveries``."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def listed(self, since: datetime) -> AsyncIterator[HookDelivery]:
        """All attempts since then, good ones too, newest first."""
        answers = self._github.app.getiter(
            f"{_DELIVERIES}{{?per_page}}", {"per_page": "100"}
        )
        async with aclosing(answers):
            async for answer in answers:
                attempt = _delivery(read(HookAttempt, answer))
                if attempt.delivered_at < since:
                    return
                yield attempt

    async def redeliver(self, delivery: int) -> None:
        """Ask GitHub to send it again; asking twice is harmless, its GUID is kept."""
        await self._github.app.post(
            f"{_DELIVERIES}/{{delivery}}/attempts",
            {"delivery": str(delivery)},
            {},
            repeatable=True,
        )


def _delivery(attempt: HookAttempt) -> HookDelivery:
    return HookDelivery(
        id=attempt.id,
        guid=attempt.guid,
        event=attempt.event,
        action=attempt.action,
        delivered_at=attempt.delivered_at,
        redelivery=attempt.redelivery,
        status=attempt.status,
        status_code=attempt.status_code,
        installation_id=attempt.installation_id,
        repository_id=attempt.repository_id,
    )
