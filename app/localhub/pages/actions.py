"""A repository's workflow runs: their list, and what became of each job."""

from aiohttp import web

from localhub import actions
from localhub.errors import Refused, not_found
from localhub.fleet import FLEET
from localhub.pages.site import Site, fields, see_other
from localhub.state import ROLES, Attempt, Repository, User, WorkflowRun

_SHOWN = 100


class ActionPages:
    """Handlers of one hub's workflow runs."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[web.RouteDef]:
        """List the addresses of workflow runs."""
        seen, form = self._site.seen, self._site.form
        home = r"/{owner:(?!_|api$)[^/]+}/{repository:[^/]+}/actions"
        one = home + r"/runs/{run:\d+}"
        return [
            web.get(home, seen(self.runs)),
            web.get(one, seen(self.run)),
            web.get(one + r"/job/{job:\d+}", seen(self.run)),
            web.post(one, form(self.order)),
        ]

    async def runs(self, request: web.Request) -> web.StreamResponse:
        """List the newest runs."""
        repository = self._site.repository(request)
        return self._site.page(
            request,
            "actions.html",
            repository=repository,
            runs=list(reversed(repository.workflow_runs))[:_SHOWN],
            idle=_idle(request),
        )

    def _found(self, request: web.Request) -> WorkflowRun:
        repository = self._site.repository(request)
        found = actions.find(repository, int(request.match_info["run"]))
        if found is None:
            raise not_found()
        return found

    async def run(self, request: web.Request) -> web.StreamResponse:
        """Show an attempt of a run: the newest, or the one asked for."""
        run = self._found(request)
        return self._site.page(
            request,
            "run.html",
            repository=run.repository,
            run=run,
            attempt=_attempt(run, request.query.get("attempt", "")),
            job=int(request.match_info.get("job", 0)),
            idle=_idle(request),
            live=request.path_qs,
        )

    async def order(self, request: web.Request) -> web.StreamResponse:
        """Cancel a run, or run it again."""
        run, actor = self._found(request), self._site.acting(request)
        _may(run.repository, actor)
        match (await fields(request)).get("order"):
            case "cancel":
                actions.cancel(self._site.hub, run, actor=actor)
            case "rerun":
                actions.rerun(self._site.hub, run, actor=actor)
            case "rerun-failed":
                actions.rerun(self._site.hub, run, actor=actor, failed=True)
            case _:
                raise Refused(422, "Say whether to cancel or to run again.")
        return see_other(f"/{run.repository.full_name}/actions/runs/{run.id}")


def _idle(request: web.Request) -> str | None:
    fleet = request.config_dict.get(FLEET)
    return None if fleet is None else fleet.why_idle()


def _attempt(run: WorkflowRun, asked: str) -> Attempt:
    found = (one for one in run.attempts if str(one.number) == asked)
    return next(found, run.latest)


def _may(repository: Repository, actor: User) -> None:
    role = repository.role(actor)
    if role is None or ROLES.index(role) < ROLES.index("write"):
        raise Refused(403, "This takes write access to the repository.")
