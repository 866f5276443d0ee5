"""Check runs, check suites and commit statuses over REST."""

from aiohttp import web

from localhub import checks, git, render
from localhub.errors import Refused, not_found
from localhub.render import checks as shown
from localhub.render import repositories
from localhub.rest.call import Call, Route, answer, created, paged
from localhub.rest.commits import find
from localhub.state import App, CheckRun, CheckSuite, CommitStatus


def _run(call: Call) -> CheckRun:
    found = checks.find_run(call.repository, call.number("run"))
    if found is None:
        raise not_found()
    return found


def _suite(call: Call) -> CheckSuite:
    for one in call.repository.check_suites:
        if one.id == call.number("suite"):
            return one
    raise not_found()


def _app(call: Call) -> App:
    app = call.actor.app
    if app is None:
        raise Refused(403, "You must authenticate via a GitHub App.")
    return app


def create(call: Call) -> web.Response:
    """Begin a check run."""
    one = checks.create_run(
        call.hub, call.repository, _app(call), call.body, actor=call.actor
    )
    body = render.check_run(call.hub, one)
    return created(body, body["url"])


def get(call: Call) -> web.Response:
    """Show a check run."""
    return answer(render.check_run(call.hub, _run(call)))


def update(call: Call) -> web.Response:
    """Change a check run; only the App that made it may."""
    one = _run(call)
    if one.suite.app is not _app(call):
        raise Refused(403, "Invalid app_id `" + str(_app(call).id) + "` - check run")
    checks.update_run(call.hub, one, call.body, actor=call.actor)
    return answer(render.check_run(call.hub, one))


def annotations(call: Call) -> web.Response:
    """List a check run's annotations."""
    one = _run(call)
    return paged(
        call, one.annotations, lambda each: shown.annotation(call.hub, one, each)
    )


def rerequest(call: Call) -> web.Response:
    """Ask the App to make the check run again."""
    checks.rerequest(call.hub, _run(call), actor=call.actor)
    return answer({}, 201)


def _filtered(call: Call, runs: list[CheckRun]) -> web.Response:
    name, status = call.query("check_name"), call.query("status")
    app = call.query("app_id")
    found = [
        one
        for one in runs
        if name in ("", one.name)
        and status in ("", one.status)
        and app in ("", str(one.suite.app.id))
    ]
    if call.query("filter", "latest") == "latest":
        newest: dict[tuple[int, str], CheckRun] = {}
        for one in found:
            newest.setdefault((one.suite.id, one.name), one)
        found = list(newest.values())
    return paged(
        call,
        found,
        lambda one: render.check_run(call.hub, one),
        inside="check_runs",
    )


def list_for_ref(call: Call) -> web.Response:
    """List the check runs of a commit."""
    sha = find(call, call.part("ref"))
    return _filtered(call, checks.runs_for(call.repository, sha))


def list_in_suite(call: Call) -> web.Response:
    """List the check runs of a suite."""
    return _filtered(call, list(reversed(_suite(call).runs)))


def suites_for_ref(call: Call) -> web.Response:
    """List the check suites of a commit."""
    sha = find(call, call.part("ref"))
    suites = [one for one in call.repository.check_suites if one.head_sha == sha]
    return paged(
        call,
        suites,
        lambda one: render.check_suite(call.hub, one),
        inside="check_suites",
    )


def get_suite(call: Call) -> web.Response:
    """Show a check suite."""
    return answer(render.check_suite(call.hub, _suite(call)))


def rerequest_suite(call: Call) -> web.Response:
    """Ask the App to make its suite again."""
    checks.rerequest_suite(call.hub, _suite(call), actor=call.actor)
    return answer({}, 201)


def create_suite(call: Call) -> web.Response:
    """Begin a check suite."""
    sha = str(call.body.get("head_sha") or "")
    if git.object_type(call.repository.git_dir, sha or "-") != "commit":
        raise Refused(422, f"No commit found for SHA: {sha}")
    one = checks.suite_for(call.hub, call.repository, _app(call), sha)
    return answer(render.check_suite(call.hub, one), 201)


def create_status(call: Call) -> web.Response:
    """Report a commit status."""
    one = checks.set_status(
        call.hub, call.repository, call.part("sha"), call.body, actor=call.actor
    )
    body = shown.status(call.hub, call.repository, one)
    return created(body, body["url"])


def _statuses(call: Call, sha: str) -> list[CommitStatus]:
    found = (one for one in call.repository.statuses if one.sha == sha)
    return sorted(found, key=lambda one: one.id, reverse=True)


def list_statuses(call: Call) -> web.Response:
    """List every report on a commit, newest first."""
    found = _statuses(call, find(call, call.part("ref")))
    return paged(call, found, lambda one: shown.status(call.hub, call.repository, one))


def combined_status(call: Call) -> web.Response:
    """Sum up the newest report of each context."""
    repository, hub = call.repository, call.hub
    sha = find(call, call.part("ref"))
    newest: dict[str, CommitStatus] = {}
    for one in _statuses(call, sha):
        newest.setdefault(one.context, one)
    states = {one.state for one in newest.values()}
    if states & {"failure", "error"}:
        state = "failure"
    else:
        state = "success" if states == {"success"} else "pending"
    url = repositories.url(hub, repository)
    listed = [shown.simple_status(hub, repository, one) for one in newest.values()]
    return answer(
        {
            "state": state,
            "statuses": listed,
            "sha": sha,
            "total_count": len(newest),
            "repository": repositories.minimal(hub, repository),
            "commit_url": f"{url}/commits/{sha}",
            "url": f"{url}/commits/{sha}/status",
        }
    )


_REPO = "/repos/{owner}/{repo}"
_RUN = f"{_REPO}/check-runs/{{run}}"
_SUITE = f"{_REPO}/check-suites/{{suite}}"
_REF = f"{_REPO}/commits/{{ref:.+}}"
_READ = ("checks:read",)
_WRITE = ("checks:write",)

ROUTES = [
    Route("POST", f"{_REPO}/check-runs", create, _WRITE),
    Route("GET", _RUN, get, _READ),
    Route("PATCH", _RUN, update, _WRITE),
    Route("GET", f"{_RUN}/annotations", annotations, _READ),
    Route("POST", f"{_RUN}/rerequest", rerequest, ("checks:write", "contents:write")),
    Route("GET", f"{_REF}/check-runs", list_for_ref, _READ),
    Route("GET", f"{_REF}/check-suites", suites_for_ref, _READ),
    Route("POST", f"{_REPO}/check-suites", create_suite, _WRITE),
    Route("GET", _SUITE, get_suite, _READ),
    Route("GET", f"{_SUITE}/check-runs", list_in_suite, _READ),
    Route("POST", f"{_SUITE}/rerequest", rerequest_suite, _WRITE),
    Route("POST", f"{_REPO}/statuses/{{sha}}", create_status, ("statuses:write",)),
    Route("GET", f"{_REF}/statuses", list_statuses, ("statuses:read",)),
    Route("GET", f"{_REF}/status", combined_status, ("statuses:read",)),
]
