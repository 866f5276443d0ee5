"""What can be done to deployments."""

from typing import Any

from localhub import git
from localhub.errors import Refused, invalid
from localhub.render import deployments as render
from localhub.state import Deployment, DeploymentStatus, Hub, Repository, User

STATES = {
    "error",
    "failure",
    "inactive",
    "in_progress",
    "queued",
    "pending",
    "success",
}
LONGEST_DESCRIPTION = 140


def create(
    hub: Hub, repository: Repository, asked: dict[str, Any], *, actor: User
) -> Deployment:
    """Ask for a deployment of a ref."""
    ref = asked.get("ref") or ""
    sha = git.resolve(repository.git_dir, ref)
    if sha is None:
        raise Refused(422, f"No ref found for: {ref}")
    now = hub.now()
    environment = asked.get("environment") or "production"
    one = Deployment(
        **hub.mint("DE"),
        repository=repository,
        sha=sha,
        ref=ref,
        task=asked.get("task") or "deploy",
        payload=asked.get("payload") or {},
        environment=environment,
        description=asked.get("description"),
        creator=actor,
        created_at=now,
        updated_at=now,
        transient=bool(asked.get("transient_environment")),
        production=bool(
            asked.get("production_environment", environment == "production")
        ),
        via_app=actor.app,
    )
    repository.deployments.append(hub.register(one))
    payload = {
        "action": "created",
        "deployment": render.deployment(hub, one),
        "workflow": None,
        "workflow_run": None,
    }
    hub.emit("deployment", payload, sender=actor, repository=repository)
    return one


def report(
    hub: Hub, one: Deployment, asked: dict[str, Any], *, actor: User
) -> DeploymentStatus:
    """Report how a deployment goes."""
    if asked.get("state") not in STATES:
        raise invalid("DeploymentStatus", "state", "invalid")
    if len(asked.get("description") or "") > LONGEST_DESCRIPTION:
        raise invalid("DeploymentStatus", "description", "custom", "is too long")
    now = hub.now()
    status = DeploymentStatus(
        **hub.mint("DES"),
        state=asked["state"],
        creator=actor,
        description=asked.get("description") or "",
        environment=asked.get("environment") or one.environment,
        environment_url=asked.get("environment_url") or "",
        log_url=asked.get("log_url") or asked.get("target_url") or "",
        target_url=asked.get("target_url") or "",
        created_at=now,
        updated_at=now,
        via_app=actor.app,
    )
    if status.state == "success" and asked.get("auto_inactive", True):
        _retire(hub, one, status, actor)
    one.statuses.append(hub.register(status))
    one.updated_at = now
    _tell(hub, one, status, actor)
    return status


def _retire(
    hub: Hub, newest: Deployment, status: DeploymentStatus, actor: User
) -> None:
    # Only what GitHub retires: earlier, successful, and neither transient nor live.
    for one in newest.repository.deployments:
        active = one.statuses and one.statuses[-1].state == "success"
        same = one.environment == status.environment and one is not newest
        if active and same and not one.transient and not one.production:
            report(hub, one, {"state": "inactive", "auto_inactive": False}, actor=actor)


def _tell(hub: Hub, one: Deployment, status: DeploymentStatus, actor: User) -> None:
    payload = {
        "action": "created",
        "deployment_status": render.deployment_status(hub, one, status),
        "deployment": render.deployment(hub, one),
        "check_run": None,
        "workflow": None,
        "workflow_run": None,
    }
    hub.emit("deployment_status", payload, sender=actor, repository=one.repository)
