"""What GitHub does not have and a test or demo needs, under `/_localhub`.

Faults, deliveries gone wrong, the effect ledger, a summary of the state, and what a
person does on GitHub's pages without any API.
"""

from dataclasses import replace
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from localhub import apps, checks, git
from localhub.errors import Refused, not_found
from localhub.faults import FAULTS, Fault
from localhub.fleet import FLEET
from localhub.ledger import LEDGER
from localhub.oidc import ISSUER
from localhub.state import Hub, Installation, ProjectItem, PullRequest, Repository, User
from localhub.webhooks import COURIER


class DeliveryOrders(BaseModel):
    """What to do wrong with the next deliveries; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    drop: int | None = None
    duplicate: int | None = None
    reorder: int | None = None
    delay: float | None = None
    paused: bool | None = None


async def order_fault(request: web.Request) -> web.Response:
    """Order a fault."""
    fault = Fault.model_validate_json(await request.read())
    request.app[FAULTS].ordered.append(fault)
    return web.json_response({"ordered": len(request.app[FAULTS].ordered)}, status=201)


async def list_faults(request: web.Request) -> web.Response:
    """List the faults still to come."""
    ordered = request.app[FAULTS].ordered
    return web.json_response([one.model_dump() for one in ordered])


async def clear_faults(request: web.Request) -> web.Response:
    """Forget the faults still to come."""
    request.app[FAULTS].ordered.clear()
    return web.Response(status=204)


async def order_deliveries(request: web.Request) -> web.Response:
    """Order deliveries to go wrong, to wait or to go on."""
    asked = DeliveryOrders.model_validate_json(await request.read())
    courier = request.app[COURIER]
    courier.order(replace(courier.orders, **asked.model_dump(exclude_none=True)))
    return web.json_response(_deliveries(request))


async def show_deliveries(request: web.Request) -> web.Response:
    """Show how deliveries stand."""
    return web.json_response(_deliveries(request))


def _deliveries(request: web.Request) -> dict[str, Any]:
    courier = request.app[COURIER]
    orders = courier.orders
    return {
        "waiting": len(courier.waiting),
        "idle": courier.idle,
        "orders": {
            "drop": orders.drop,
            "duplicate": orders.duplicate,
            "reorder": orders.reorder,
            "delay": orders.delay,
            "paused": orders.paused,
        },
    }


async def show_ledger(request: web.Request) -> web.Response:
    """Show every change that somebody made."""
    return web.json_response([one.as_json() for one in request.app[LEDGER]])


class RunnerOrders(BaseModel):
    """What the runners do wrong from now on; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    absent: bool | None = None
    delay: float | None = None


class Loss(BaseModel):
    """How GitHub finds a lost runner's job ended, and after how many seconds."""

    model_config = ConfigDict(extra="forbid")

    conclusion: Literal["failure", "cancelled"] = "failure"
    after: float = 0


class Rotation(BaseModel):
    """Whether the keys so far are published no more."""

    model_config = ConfigDict(extra="forbid")

    forget: bool = False


async def order_runners(request: web.Request) -> web.Response:
    """Order the runners to stay away (`absent`) or to begin late (`delay`)."""
    asked = RunnerOrders.model_validate_json(await request.read())
    fleet = request.app[FLEET]
    await fleet.order(replace(fleet.orders, **asked.model_dump(exclude_none=True)))
    return web.json_response(_runners(request))


async def show_runners(request: web.Request) -> web.Response:
    """Show what the runners do, and why they are idle if they must be."""
    return web.json_response(_runners(request))


def _runners(request: web.Request) -> dict[str, Any]:
    fleet = request.app[FLEET]
    return {
        "idle": fleet.why_idle(),
        "jobs": sorted(fleet.at_work),
        "orders": {"absent": fleet.orders.absent, "delay": fleet.orders.delay},
    }


async def lose_runner(request: web.Request) -> web.Response:
    """Kill a job's runner without a word: `{"conclusion"?, "after"?}`."""
    asked = Loss.model_validate_json(await request.read() or b"{}")
    job = int(request.match_info["job"])
    lost = request.app[FLEET].lose(job, conclusion=asked.conclusion, after=asked.after)
    if not lost:
        raise not_found()
    return web.Response(status=204)


async def rotate_key(request: web.Request) -> web.Response:
    """Sign OIDC tokens with a new key: `{"forget"?}` drops those before it."""
    asked = Rotation.model_validate_json(await request.read() or b"{}")
    key = request.app[ISSUER].rotate(forget=asked.forget)
    return web.json_response({"kid": key.kid}, status=201)


class Admin:
    """The addresses that need the hub."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def routes(self) -> list[web.RouteDef]:
        """List all addresses under `/_localhub`."""
        return [
            web.get("/_localhub/faults", list_faults),
            web.post("/_localhub/faults", order_fault),
            web.delete("/_localhub/faults", clear_faults),
            web.get("/_localhub/deliveries.json", show_deliveries),
            web.post("/_localhub/deliveries", order_deliveries),
            web.get("/_localhub/ledger", show_ledger),
            web.get("/_localhub/runners", show_runners),
            web.post("/_localhub/runners", order_runners),
            web.post(r"/_localhub/jobs/{job:\d+}/lose", lose_runner),
            web.post("/_localhub/keys", rotate_key),
            web.get("/_localhub/state", self.show_state),
            web.post("/_localhub/protect", self.protect),
            web.post("/_localhub/as/{login}/check-actions", self.press),
            web.post("/_localhub/as/{login}/installations", self.install),
            web.delete(
                "/_localhub/as/{login}/installations/{installation}", self.uninstall
            ),
            web.put(
                "/_localhub/as/{login}/installations/{installation}/suspended",
                self.suspend,
            ),
            web.delete(
                "/_localhub/as/{login}/installations/{installation}/suspended",
                self.unsuspend,
            ),
            web.put(
                "/_localhub/as/{login}/installations/{installation}/repositories",
                self.choose,
            ),
        ]

    async def show_state(self, _request: web.Request) -> web.Response:
        """Sum up the state."""
        return web.json_response(summary(self.hub))

    def _user(self, request: web.Request) -> User:
        found = self.hub.user(request.match_info["login"])
        if found is None:
            raise not_found()
        return found

    def _repository(self, name: str) -> Repository:
        found = self.hub.repository(name)
        if found is None:
            raise not_found()
        return found

    def _installation(self, request: web.Request) -> Installation:
        number = int(request.match_info["installation"])
        found = self.hub.installations.get(number)
        if found is None:
            raise not_found()
        return found

    async def protect(self, request: web.Request) -> web.Response:
        """Refuse pushes to a ref: `{"repository": "o/r", "ref": "refs/heads/*"}`."""
        asked = await request.json()
        git.protect(self._repository(asked["repository"]).git_dir, asked["ref"])
        return web.Response(status=204)

    async def press(self, request: web.Request) -> web.Response:
        """Press a check run's button: `{"repository", "check_run", "identifier"}`."""
        asked = await request.json()
        repository = self._repository(asked["repository"])
        run = checks.find_run(repository, asked["check_run"])
        if run is None:
            raise not_found()
        checks.press(self.hub, run, asked["identifier"], actor=self._user(request))
        return web.Response(status=204)

    async def install(self, request: web.Request) -> web.Response:
        """Install an App: `{"app", "account", "repositories"?}`."""
        asked = await request.json()
        app, account = self.hub.app_by(asked["app"]), self.hub.user(asked["account"])
        if app is None or account is None:
            raise not_found()
        names = asked.get("repositories")
        chosen = None if names is None else [self._repository(name) for name in names]
        actor = self._user(request)
        one = apps.install(self.hub, app, account, actor=actor, selected=chosen)
        return web.json_response({"id": one.id}, status=201)

    async def uninstall(self, request: web.Request) -> web.Response:
        """Remove an installation."""
        one = self._installation(request)
        apps.uninstall(self.hub, one, actor=self._user(request))
        return web.Response(status=204)

    async def suspend(self, request: web.Request) -> web.Response:
        """Suspend an installation."""
        one = self._installation(request)
        apps.suspend(self.hub, one, actor=self._user(request))
        return web.Response(status=204)

    async def unsuspend(self, request: web.Request) -> web.Response:
        """Let a suspended installation work again."""
        one = self._installation(request)
        apps.unsuspend(self.hub, one, actor=self._user(request))
        return web.Response(status=204)

    async def choose(self, request: web.Request) -> web.Response:
        """Choose an installation's repositories: `{"repositories": ["o/r"]}`."""
        asked = await request.json()
        chosen = [self._repository(name) for name in asked["repositories"]]
        one = self._installation(request)
        apps.choose_repositories(self.hub, one, chosen, actor=self._user(request))
        return web.Response(status=204)


@web.middleware
async def plain_refusals(request: web.Request, handler: Any) -> web.StreamResponse:
    """Say in a line what is wrong with an order."""
    try:
        response: web.StreamResponse = await handler(request)
    except ValidationError as wrong:
        raise Refused(422, str(wrong)) from None
    except (KeyError, ValueError) as wrong:
        if request.path.startswith("/_localhub"):
            raise Refused(422, f"not as expected: {wrong}") from None
        raise
    return response


def summary(hub: Hub) -> dict[str, Any]:
    """Sum up the state, for tests and demos."""
    return {
        "url": hub.url,
        "repositories": {
            one.full_name: _repository(one) for one in hub.repositories.values()
        },
        "projects": [
            {
                "owner": one.owner.login,
                "number": one.number,
                "title": one.title,
                "cards": [_card(item) for item in one.items if not item.archived_at],
            }
            for one in hub.projects
        ],
        "installations": {
            one.id: {"app": one.app.slug, "account": one.account.login}
            for one in hub.installations.values()
        },
        "deliveries": [
            {
                "guid": one.guid,
                "event": one.event,
                "action": one.action,
                "status": one.status,
                "redelivery": one.redelivery,
            }
            for one in hub.deliveries
        ],
    }


def _repository(one: Repository) -> dict[str, Any]:
    return {
        "default_branch": one.default_branch,
        "branches": {
            ref.removeprefix("refs/heads/"): sha
            for ref, sha in git.refs(one.git_dir, "refs/heads/").items()
        },
        "issues": {
            issue.number: {
                "title": issue.title,
                "state": issue.state,
                "body": issue.body,
                "labels": [label.name for label in issue.labels],
                "comments": [
                    {"user": each.user.login, "body": each.body, "id": each.id}
                    for each in issue.comments
                ],
                **(_pull(issue) if isinstance(issue, PullRequest) else {}),
            }
            for issue in one.issues.values()
        },
        "check_runs": [
            {
                "id": run.id,
                "name": run.name,
                "head_sha": suite.head_sha,
                "status": run.status,
                "conclusion": run.conclusion,
                "title": run.title,
            }
            for suite in one.check_suites
            for run in suite.runs
        ],
        "workflow_runs": [
            {
                "id": each.id,
                "workflow": each.workflow.path,
                "event": each.event,
                "ref": each.ref,
                "inputs": each.payload.get("inputs", {}),
                "attempt": each.latest.number,
                "status": each.latest.status,
                "conclusion": each.latest.conclusion,
            }
            for each in one.workflow_runs
        ],
    }


def _pull(one: PullRequest) -> dict[str, Any]:
    return {
        "head": one.head_ref,
        "head_sha": one.head_sha,
        "base": one.base_ref,
        "draft": one.draft,
        "merged": one.merged_at is not None,
    }


def _card(item: ProjectItem) -> dict[str, Any]:
    fields = [one for one in item.project.fields if one.name == "Status"]
    chosen = item.values.get(fields[0].id) if fields else None
    names = {option.id: option.name for one in fields for option in one.options}
    content = item.content
    number = getattr(content, "number", None)
    repository = getattr(content, "repository", None)
    return {
        "id": item.id,
        "node_id": item.node_id,
        "title": content.title,
        "number": number,
        "repository": repository.full_name if repository else None,
        "column": names.get(str(chosen)),
    }
