"""The issuer of OIDC tokens: says to others which job is asking.

It stands where GitHub Enterprise Server has it, at `/_services/token`. A job asks with
the address and the key in its environment, which it has only with `id-token: write`.
"""

import base64
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiohttp import web

from localhub import actions, keys
from localhub.errors import Refused
from localhub.state import Hub, Job

PATH = "/_services/token"
LIFETIME = timedelta(minutes=5)
BEFORE = timedelta(minutes=10)
"""How far back a token says it was valid already, as GitHub's do."""


@dataclass(frozen=True)
class Key:
    """A key to sign with, and its name."""

    kid: str
    private: str
    public: str

    def as_jwk(self) -> dict[str, str]:
        """Give the public half."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - slow
        from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - slow

        key = serialization.load_pem_public_key(self.public.encode())
        assert isinstance(key, rsa.RSAPublicKey)
        numbers = key.public_numbers()
        return {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": self.kid,
            "n": _encoded(numbers.n),
            "e": _encoded(numbers.e),
        }


def _encoded(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass
class Issuer:
    """Signs for one hub."""

    hub: Hub
    keys: list[Key] = field(default_factory=list)
    """Newest last; that one signs, all are published."""

    @property
    def url(self) -> str:
        """Give what `iss` says."""
        return f"{self.hub.url}{PATH}"

    def routes(self) -> list[web.RouteDef]:
        """List the issuer's addresses."""
        return [
            web.get(f"{PATH}/.well-known/openid-configuration", self.configuration),
            web.get(f"{PATH}/.well-known/jwks", self.jwks),
            web.get(r"/_services/jobs/{job:\d+}/idtoken", self.identify),
        ]

    def rotate(self, *, forget: bool) -> Key:
        """Sign with a new key from now on; the old ones stay published, or go."""
        if forget:
            self.keys.clear()
        self.keys.append(Key(secrets.token_hex(20).upper(), *keys.generate()))
        return self.keys[-1]

    def signing(self) -> Key:
        """Give the key that signs now."""
        return self.keys[-1] if self.keys else self.rotate(forget=False)

    async def configuration(self, _request: web.Request) -> web.Response:
        """Tell where the keys are and what tokens say."""
        return web.json_response(
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/.well-known/jwks",
                "subject_types_supported": ["public", "pairwise"],
                "response_types_supported": ["id_token"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid"],
            }
        )

    async def jwks(self, _request: web.Request) -> web.Response:
        """Publish the keys."""
        self.signing()
        return web.json_response({"keys": [one.as_jwk() for one in self.keys]})

    def request_url(self, job: Job) -> str:
        """Give the address at which a job asks for its tokens."""
        return f"{self.hub.url}/_services/jobs/{job.id}/idtoken?api-version=2.0"

    async def identify(self, request: web.Request) -> web.Response:
        """Give a job a token for the audience it names."""
        job = self._job(int(request.match_info["job"]))
        _, _, key = request.headers.get("Authorization", "").partition(" ")
        mine = job.identity_key if job is not None else None
        if job is None or mine is None or not secrets.compare_digest(mine, key):
            raise Refused(401, "This job does not run, or asks with another's key.")
        if job.permissions.get("id_token") != "write":
            raise Refused(403, "The job lacks `id-token: write`.")
        audience = request.query.get("audience")
        value = self.token(job, audience)
        return web.json_response({"count": len(value), "value": value})

    def _job(self, number: int) -> Job | None:
        for repository in self.hub.repositories.values():
            for run in repository.workflow_runs:
                for job in run.latest.jobs:
                    if job.id == number:
                        return job
        return None

    def token(self, job: Job, audience: str | None) -> str:
        """Sign what is true of a job."""
        import jwt  # noqa: PLC0415 - cryptography is slow to load

        key = self.signing()
        now = self.hub.clock().replace(microsecond=0)
        owner = job.attempt.run.repository.owner.login
        times = {
            "nbf": now - BEFORE,
            "iat": now,
            "exp": now + LIFETIME,
        }
        claims = {
            "iss": self.url,
            "aud": audience or f"{self.hub.url}/{owner}",
            "jti": secrets.token_hex(16),
            **claims_of(job),
            **times,
        }
        return jwt.encode(claims, key.private, "RS256", headers={"kid": key.kid})


def claims_of(job: Job) -> dict[str, Any]:
    """Say all that GitHub says of a job; every number is a text."""
    attempt, run = job.attempt, job.attempt.run
    repository = run.repository
    owner = repository.owner
    # Since 2026 the subject names accounts and repositories by name and number.
    subject = f"repo:{owner.login}@{owner.id}/{repository.name}@{repository.id}"
    where = f"ref:{run.ref}"
    if run.event in actions.PULLS:
        where = "pull_request"
    workflow = f"{repository.full_name}/{run.workflow.path}@{run.ref}"
    pull = run.payload.get("pull_request") or {}
    hosted = "self-hosted" not in job.labels
    return {
        "sub": f"{subject}:{where}",
        "ref": run.ref,
        "ref_type": "tag" if run.ref.startswith("refs/tags/") else "branch",
        "ref_protected": str(run.head_branch in repository.protections).lower(),
        "sha": run.sha,
        "repository": repository.full_name,
        "repository_id": str(repository.id),
        "repository_owner": owner.login,
        "repository_owner_id": str(owner.id),
        "repository_visibility": "private" if repository.private else "public",
        "run_id": str(run.id),
        "run_number": str(run.number),
        "run_attempt": str(attempt.number),
        "check_run_id": str(job.check.id),
        "actor": run.actor.login,
        "actor_id": str(run.actor.id),
        "workflow": run.workflow.name,
        "workflow_ref": workflow,
        "workflow_sha": run.sha,
        "job_workflow_ref": workflow,
        "job_workflow_sha": run.sha,
        "head_ref": pull.get("head", {}).get("ref", ""),
        "base_ref": pull.get("base", {}).get("ref", ""),
        "event_name": run.event,
        "runner_environment": "github-hosted" if hosted else "self-hosted",
    }


ISSUER = web.AppKey("issuer", Issuer)
