"""Deployments and their statuses as JSON."""

from typing import Any

from localhub.render import repositories
from localhub.render.accounts import maybe_app, user
from localhub.state import Deployment, DeploymentStatus, Hub

JSON = dict[str, Any]


def deployment(hub: Hub, one: Deployment) -> JSON:
    """Render a deployment."""
    repository = repositories.url(hub, one.repository)
    api = f"{repository}/deployments/{one.id}"
    return {
        "url": api,
        "id": one.id,
        "node_id": one.node_id,
        "sha": one.sha,
        "ref": one.ref,
        "task": one.task,
        "payload": one.payload,
        "original_environment": one.environment,
        "environment": one.environment,
        "description": one.description,
        "creator": user(hub, one.creator),
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "statuses_url": f"{api}/statuses",
        "repository_url": repository,
        "transient_environment": one.transient,
        "production_environment": one.production,
        "performed_via_github_app": maybe_app(hub, one.via_app),
    }


def deployment_status(hub: Hub, parent: Deployment, one: DeploymentStatus) -> JSON:
    """Render a report on a deployment."""
    repository = repositories.url(hub, parent.repository)
    api = f"{repository}/deployments/{parent.id}"
    return {
        "url": f"{api}/statuses/{one.id}",
        "id": one.id,
        "node_id": one.node_id,
        "state": one.state,
        "creator": user(hub, one.creator),
        "description": one.description,
        "environment": one.environment,
        "target_url": one.target_url or one.log_url,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "deployment_url": api,
        "repository_url": repository,
        "environment_url": one.environment_url,
        "log_url": one.log_url,
        "performed_via_github_app": maybe_app(hub, one.via_app),
    }
