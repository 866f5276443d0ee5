"""A tree to work in, and what an agent's turn left there."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from vibeboard.domain.board import CardKey
from vibeboard.domain.question import Answer, Question
from vibeboard.domain.tools import Ruling, ToolCall
from vibeboard.domain.workflow import Agent, Cli
from vibeboard.engine.ports import Assignment
from vibeboard.runner.agents.events import events_of

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def question(call: ToolCall, ruling: Ruling) -> Question:
    """What a person answered to a call."""
    answer = Answer(ruling.verdict, ruling.by, ruling.note)
    return Question("q1", "run-1", CardKey("o/r", 1), call, "", AT, answer)


class AgentDesk:
    """Where an agent works."""

    def __init__(self, folder: Path, cli: Cli) -> None:
        self.folder = folder
        self.tree = folder / "tree"
        self.tree.mkdir()
        self.home = folder / "home"
        self.log = folder / "run.log"
        self.cli = cli

    def assignment(
        self,
        prompt: str = "Create hello.txt",
        *,
        session: str | None = None,
        answered: Sequence[Question] = (),
        instructions: str = "",
        command: tuple[str, ...] = (),
        model: str | None = None,
        turns: int | None = None,
        minutes: float = 2,
    ) -> Assignment:
        agent = Agent(
            "agent",
            self.cli,
            command,
            model=model,
            turns=turns,
            time_limit=timedelta(minutes=minutes),
        )
        return Assignment(
            "run-1",
            agent,
            prompt,
            self.tree,
            self.home,
            self.log,
            session=session,
            answered=tuple(answered),
            instructions=instructions,
        )

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        lines = events_of(self.log).read_text().splitlines()
        found = [json.loads(line) for line in lines]
        return [each for each in found if not kinds or each["event"] in kinds]
