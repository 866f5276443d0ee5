"""Any program that speaks the Agent Client Protocol: Gemini CLI, opencode, Qwen Code.

It is started as ``command`` says. What it asks is put before the approver; what it does
without asking is for the sandbox to hold. While a person has not answered, the turn is
cancelled; the session is loaded again with what was answered.
"""

import json
from datetime import timedelta
from pathlib import Path

from vibeboard.engine.ports import (
    AgentResult,
    Approver,
    Assignment,
    StopSignal,
)
from vibeboard.runner.agents.command import argv_of, cell_of, write_home
from vibeboard.runner.agents.questions import Questions
from vibeboard.runner.agents.record import Record
from vibeboard.runner.agents.wire import converse
from vibeboard.runner.process import Limits
from vibeboard.runner.sandbox.cell import Sandbox

# What known programs need so that they ask, keep still, and do not wait for a person
# at a terminal. To others it means nothing.
_OWN = {
    "GEMINI_CLI_TRUST_WORKSPACE": "true",
    "OPENCODE_CONFIG_CONTENT": json.dumps(
        {"permission": {"edit": "ask", "bash": "ask", "webfetch": "ask"}}
    ),
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
}
_FILES = {
    ".gemini/settings.json": {
        "general": {"enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
        "security": {"auth": {"selectedType": "gemini-api-key"}},
    }
}


class AcpAgent:
    """Agents of the kind ``cli: acp``. A person may answer within ``hold``."""

    def __init__(
        self, sandbox: Sandbox, *, hold: timedelta = timedelta(minutes=5)
    ) -> None:
        self._sandbox = sandbox
        self._hold = hold

    async def work(
        self, assignment: Assignment, stop: StopSignal, approver: Approver
    ) -> AgentResult:
        """Continue the session, or begin one if there is none to continue."""
        from vibeboard.runner.agents.acp_client import Talk  # noqa: PLC0415 - slow

        argv = argv_of(assignment, self._sandbox.path)
        for name, content in _FILES.items():
            write_home(assignment, name, json.dumps(content))
        own = {**_OWN, "VIBE_RUN": assignment.run}
        with Record(assignment) as record:
            async with cell_of(self._sandbox, assignment, Path(argv[0]), own) as cell:
                ended = await converse(
                    cell.command(argv),
                    Talk(record, Questions(approver, record, self._hold)),
                    record=record,
                    limits=Limits(assignment.agent.time_limit),
                    stop=stop,
                )
                record.take_notes(cell)
            return record.result(ended, argv[0])
