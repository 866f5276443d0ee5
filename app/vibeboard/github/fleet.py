"""GitHub Actions as a fleet: runs are posted as runs of one workflow file.

The file is the repository's own, on its default branch: what runs there with the
repository's rights, only those decide who may push to that branch.
"""

from http import HTTPStatus

from vibeboard.domain import words
from vibeboard.domain.run import Posting, Run
from vibeboard.domain.workflow import AGENT_FILE
from vibeboard.engine.ports import Clock, Sight, Whereabouts
from vibeboard.errors import GitHubRefused, UserError
from vibeboard.github.answers import read
from vibeboard.github.client import Client
from vibeboard.github.objects import Dispatched, RepositoryLinks, WorkflowRun

_FILE = AGENT_FILE.rpartition("/")[2]
_DISPATCHES = "/repos/{owner}/{name}/actions/workflows/{file}/dispatches"
_RUN = "/repos/{owner}/{name}/actions/runs/{run}"
_WAITING = frozenset({"queued", "requested", "waiting", "pending"})
_REFUSALS = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY})


class GitHubFleet:
    """Satisfies the port ``Fleet``. ``server`` is where its machines reach us."""

    def __init__(self, github: Client, *, server: str, clock: Clock) -> None:
        self._github = github
        self._server = server
        self._clock = clock

    async def post(self, run: Run) -> Posting:
        """Start the workflow for a run.

        An answer that is lost may leave a workflow run that nobody knows: when it asks
        for the run, that is another's.
        """
        installation, names = await self._github.of(run.card.repository)
        found = await installation.getitem("/repos/{owner}/{name}", names)
        branch = read(RepositoryLinks, found).default_branch
        body = {"ref": branch, "inputs": {"run": run.id, "server": self._server}}
        try:
            answer = await installation.post(
                _DISPATCHES, {**names, "file": _FILE}, body
            )
        except GitHubRefused as refusal:
            status = refusal.status_code
            if status == HTTPStatus.NOT_FOUND:
                raise UserError(words.no_workflow(AGENT_FILE)) from refusal
            if status in _REFUSALS:
                why = words.not_posted(AGENT_FILE, status, str(refusal))
                raise UserError(why) from refusal
            raise
        made = read(Dispatched, answer or {})
        return Posting(made.workflow_run_id, made.html_url, self._clock.now())

    async def look(self, repository: str, posting: Posting) -> Sight:
        """What became of a workflow run."""
        installation, names = await self._github.of(repository)
        try:
            answer = await installation.getitem(
                _RUN, {**names, "run": str(posting.id)}, exists=True
            )
        except GitHubRefused as refusal:
            if refusal.status_code == HTTPStatus.NOT_FOUND:
                return Sight(Whereabouts.GONE)
            raise
        found = read(WorkflowRun, answer)
        where = Whereabouts.AT_WORK
        if found.status in _WAITING:
            where = Whereabouts.WAITS
        elif found.status == "completed":
            cancelled = found.conclusion == "cancelled"
            where = Whereabouts.CANCELLED if cancelled else Whereabouts.ENDED
        by = found.triggering_actor.login if found.triggering_actor else ""
        return Sight(where, found.run_attempt, found.conclusion or "", by)

    async def cancel(self, repository: str, posting: Posting) -> None:
        """Cancel a workflow run; nothing, if it has ended."""
        installation, names = await self._github.of(repository)
        try:
            await installation.post(
                f"{_RUN}/cancel",
                {**names, "run": str(posting.id)},
                {},
                repeatable=True,
            )
        except GitHubRefused as refusal:
            if refusal.status_code not in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
                raise
