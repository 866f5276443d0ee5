"""Chooses the adapter for an agent."""

from typing import assert_never

from vibeboard.domain.workflow import Cli
from vibeboard.engine.ports import (
    AgentResult,
    Agents,
    Approver,
    Assignment,
    StopSignal,
)


class RunnerAgents:
    """Every kind of agent this runner knows; satisfies ``engine.ports.Agents``."""

    def __init__(
        self, *, claude: Agents, codex: Agents, acp: Agents, command: Agents
    ) -> None:
        self._claude = claude
        self._codex = codex
        self._acp = acp
        self._command = command

    async def work(
        self, assignment: Assignment, stop: StopSignal, approver: Approver
    ) -> AgentResult:
        """Hand the assignment to the adapter of its agent's kind."""
        adapter = self._adapter(assignment.agent.cli)
        return await adapter.work(assignment, stop, approver)

    def _adapter(self, cli: Cli) -> Agents:
        match cli:
            case Cli.CLAUDE_CODE:
                return self._claude
            case Cli.CODEX:
                return self._codex
            case Cli.ACP:
                return self._acp
            case Cli.COMMAND:
                return self._command
            case _:
                assert_never(cli)
