"""What a job carries runs out with: its runner's programs, and the sandbox it has."""

import logging
from datetime import timedelta

from vibeboard.action.inputs import Inputs
from vibeboard.config.prices import read_prices
from vibeboard.engine.places import Places
from vibeboard.runner.agents.acp import AcpAgent
from vibeboard.runner.agents.claude import ClaudeAgent, find_claude
from vibeboard.runner.agents.codex import CodexAgent
from vibeboard.runner.agents.command import CommandAgent
from vibeboard.runner.agents.registry import RunnerAgents
from vibeboard.runner.environment import Environment
from vibeboard.runner.gateway.apis import SHAPES, Account, Provider
from vibeboard.runner.git import Git
from vibeboard.runner.sandbox.cell import Policy, Sandbox
from vibeboard.runner.sandbox.view import View
from vibeboard.runner.workspace import GitWorkspaces, Identity
from vibeboard.wiring import Hands

log = logging.getLogger(__name__)

# How long an agent that asks people keeps its job. Asked for longer, it ends its turn
# and begins anew with the answer: what it had in hand is gone with the machine.
_HOLD = timedelta(minutes=10)


def hands_of(inputs: Inputs, places: Places, git: Git, us: str) -> Hands:
    """What runs are carried out with on this runner."""
    sandbox = _sandbox(inputs, places)
    found = sandbox.found
    log.info("sandbox", extra={"kind": found.kind.value, "why": found.why})
    return Hands(
        places=places,
        workspaces=GitWorkspaces(
            places.root / "workspaces",
            git=git,
            identity=Identity.of(us),
        ),
        sandbox=sandbox,
        agents=RunnerAgents(
            claude=ClaudeAgent(sandbox, program=find_claude(sandbox.path), hold=_HOLD),
            codex=CodexAgent(sandbox, program=None, hold=_HOLD),
            acp=AcpAgent(sandbox, hold=_HOLD),
            command=CommandAgent(sandbox),
        ),
        prices=read_prices(),
    )


def _sandbox(inputs: Inputs, places: Places) -> Sandbox:
    accounts = []
    for name in {**inputs.model_keys, **inputs.model_urls}:
        provider = Provider(name)
        url = inputs.model_urls.get(name) or SHAPES[provider].usual
        accounts.append(Account(provider, url, inputs.model_keys.get(name)))
    # The files by which a step speaks to the runner lie below the temporary folder:
    # who could write them would run commands in the steps that follow.
    hidden = (places.root, inputs.temporary, inputs.event_file)
    return Sandbox(
        Environment(inputs.path),
        policy=Policy(inputs.sandbox),
        accounts=accounts,
        view=View(
            inputs.path,
            more=inputs.readable,
            hidden=tuple(path.resolve() for path in hidden),
        ),
    )
