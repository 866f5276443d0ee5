"""What the local GitHub tells, decided upon with the permission it gives now.

As the engine does it, without the engine: a delivery is translated, the card and the
sender's permission are read back, and ``decide`` answers.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from localhub import comments, projects
from localhub.state import Comment, Emission, Issue, User
from localhub.webhooks import body_of
from tests.github.on_localhub import World
from vibeboard.domain.board import BoardKey, CardKey, Permission
from vibeboard.domain.decide import decide
from vibeboard.domain.effects import Effect, Reply, StartRun
from vibeboard.domain.events import CardTouched, CommentMade
from vibeboard.domain.situation import CardHistory, Situation
from vibeboard.domain.workflow import Agent, Cli, Prompt, Stage, Workflow
from vibeboard.github.translate import translate

CARD = CardKey("acme/cart", 1)
AGENT = Agent("recorded", Cli.COMMAND, ("true",))


def workflow(
    *, bots: Sequence[str] = (), least: Permission = Permission.WRITE
) -> Workflow:
    stages = {
        "refine": Stage("refine", "Refine", AGENT, Prompt(text="do")),
        "develop": Stage("develop", "Develop", AGENT, Prompt(text="do"), next="Review"),
    }
    return Workflow(
        board=BoardKey("acme", 1),
        column_field="Status",
        stages=stages,
        suites={},
        least_permission=least,
        trusted_bots=frozenset(bots),
        commit="c0ffee",
    )


@dataclass
class Asking:
    """A world in which people ask, and what is decided."""

    world: World
    workflow: Workflow = field(default_factory=workflow)
    before: str | None = "Backlog"
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Deliveries as GitHub made them, at the moment when it did."""

    def __post_init__(self) -> None:
        self.world.small.hub.listeners.emission.append(self._keep)

    def _keep(self, what: Emission) -> None:
        hub = self.world.small.hub
        (installation,) = hub.installations.values()
        self.told.append((what.event, json.loads(body_of(hub, what, installation))))

    def said(self, name: str) -> dict[str, Any]:
        """The newest delivery of a kind."""
        return [payload for event, payload in self.told if event == name][-1]

    @property
    def us(self) -> str:
        return self.world.small.app.bot.login

    def person(self, login: str, kind: str = "User") -> User:
        hub = self.world.small.hub
        user = User(**hub.mint("U"), login=login, created_at=hub.now(), type=kind)
        hub.users[login.lower()] = hub.register(user)
        return user

    def comment(self, body: str, by: User, issue: Issue | None = None) -> Comment:
        small = self.world.small
        return comments.create(small.hub, issue or small.issue, body, actor=by)

    def move(self, column: str, by: User) -> None:
        small = self.world.small
        item = small.card("Fix the rounding")
        projects.move(small.hub, item, column, actor=by)

    async def decided(self) -> list[Effect]:
        """What is decided about everything told since the last time."""
        effects = list[Effect]()
        while self.told:
            effects += await self.about(*self.told.pop(0))
        return effects

    async def about(self, name: str, payload: dict[str, Any]) -> list[Effect]:
        """What is decided about one delivery."""
        event = translate(name, json.dumps(payload).encode(), guid="d")
        if not isinstance(event, CommentMade | CardTouched):
            return []
        if event.by.is_bot:
            permission = self.workflow.permission_of_bot(event.by.login)
        else:
            asked = self.world.repositories.permission
            permission = await asked(CARD.repository, event.by.login)
        situation = Situation(
            us=self.us,
            card=await self.world.cards.read(CARD),
            history=CardHistory(self.before),
            workflow=self.workflow,
            config_commit="c0ffee",
            permission=permission,
        )
        return decide(event, situation, cause="d")


def started(effects: list[Effect]) -> list[StartRun]:
    return [effect for effect in effects if isinstance(effect, StartRun)]


def replies(effects: list[Effect]) -> list[str]:
    return [effect.body for effect in effects if isinstance(effect, Reply)]
