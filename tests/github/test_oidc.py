"""Proofs of jobs: what GitHub signed for a repository's own workflow, and no more."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from localhub import dispatches, git, keys, pulls
from localhub.oidc import ISSUER, claims_of
from localhub.state import Job
from tests.github.on_localhub import HubClock, World, on_localhub
from vibeboard.domain.workflow import AGENT_FILE
from vibeboard.errors import NotProved, RetryLater
from vibeboard.github.oidc import Issuer, JobProofs, issuer_of

AUDIENCE = "vibeboard:https://vibe.example"
WORKFLOW = """\
name: Agent
on: {workflow_dispatch: {inputs: {run: {type: string}, server: {type: string}}}}
jobs:
  served:
    runs-on: ubuntu-latest
    permissions: {id-token: write}
    steps: [{run: "true"}]
"""


@cache
def stranger() -> tuple[str, str]:
    return keys.generate()


@dataclass
class Bench:
    """A job on a local GitHub, and who checks what it says of itself."""

    world: World
    job: Job
    proofs: JobProofs
    now: Callable[[], datetime]
    read: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> Any:
        return self.world.running.runner.app[ISSUER]

    def claims(self, **other: Any) -> dict[str, Any]:
        """What GitHub would say, but for what ``other`` says; None leaves out."""
        now = self.now()
        told = {
            "iss": self.issuer.url,
            "aud": AUDIENCE,
            "nbf": now - timedelta(minutes=10),
            "iat": now,
            "exp": now + timedelta(minutes=5),
            **claims_of(self.job),
            **other,
        }
        return {name: value for name, value in told.items() if value is not None}

    def signed(self, *, kid: str | None = None, **other: Any) -> str:
        key = self.issuer.signing()
        headers = {"kid": kid or key.kid}
        return jwt.encode(self.claims(**other), key.private, "RS256", headers=headers)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with on_localhub(tmp_path) as world:
        repository = world.small.repository
        directory = repository.git_dir
        parent = git.resolve(directory, "refs/heads/main")
        assert parent is not None
        blob = git.write_blob(directory, WORKFLOW.encode())
        tree = git.write_tree(directory, parent, {AGENT_FILE: ("100644", blob)})
        who = pulls.signature(world.small.hub, world.small.alice)
        sha = git.write_commit(directory, tree, [parent], "Add it", who, who)
        git.update_ref(directory, "refs/heads/main", sha)
        one = dispatches.dispatch(
            world.small.hub,
            repository,
            "agent.yml",
            {"ref": "main", "inputs": {"run": "r1"}},
            actor=world.small.alice,
        )
        (job,) = one.latest.jobs
        read: list[str] = []

        async def noted(
            _: object, __: object, asked: aiohttp.TraceRequestStartParams
        ) -> None:
            read.append(asked.url.path)

        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(noted)
        clock = HubClock(world.small)
        async with aiohttp.ClientSession(trace_configs=[trace]) as session:
            issuer = Issuer(
                issuer_of(f"{world.running.url}/api/v3"), session, clock=clock
            )
            proofs = JobProofs(
                world.ports.github, issuer, audience=AUDIENCE, clock=clock
            )
            yield Bench(world, job, proofs, clock.now, read)


async def test_a_job_proves_what_it_is(bench: Bench) -> None:
    token = bench.issuer.token(bench.job, AUDIENCE)

    caller = await bench.proofs.prove(token)
    await bench.proofs.check(caller, "acme/cart")

    run = bench.job.attempt.run
    assert (caller.posting, caller.attempt) == (run.id, 1)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"aud": "vibeboard:https://other.example"}, "Audience"),
        ({"aud": None}, "aud"),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"exp": datetime(2026, 1, 31, 11, 58, tzinfo=UTC)}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "when it holds"),
        ({"nbf": datetime(2026, 1, 31, 12, 2, tzinfo=UTC)}, "expired"),
        ({"nbf": None}, "nbf"),
        ({"event_name": "pull_request"}, "workflow_dispatch"),
        ({"event_name": None}, "event_name"),
        ({"run_id": "all"}, "run_id"),
        ({"run_id": str(2**63)}, "run_id"),
        ({"run_attempt": "0"}, "run_attempt"),
        ({"repository_id": None}, "repository_id"),
        ({"workflow_ref": None}, "workflow_ref"),
    ],
)
async def test_a_token_that_says_otherwise_is_refused(
    bench: Bench, told: dict[str, Any], why: str
) -> None:
    with pytest.raises(NotProved, match=why):
        await bench.proofs.prove(bench.signed(**told))


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"repository_id": "1"}, "another repository"),
        (
            {"workflow_ref": f"acme/cart/{AGENT_FILE}@refs/heads/evil"},
            "default branch",
        ),
        (
            {"workflow_ref": f"acme/cart/{AGENT_FILE}@refs/tags/main"},
            "default branch",
        ),
        (
            {"workflow_ref": "acme/cart/.github/workflows/other.yml@refs/heads/main"},
            "default branch",
        ),
        (
            {"workflow_ref": f"mallory/shop/{AGENT_FILE}@refs/heads/main"},
            "default branch",
        ),
    ],
)
async def test_a_job_of_another_workflow_is_refused(
    bench: Bench, told: dict[str, Any], why: str
) -> None:
    caller = await bench.proofs.prove(bench.signed(**told))

    with pytest.raises(NotProved, match=why):
        await bench.proofs.check(caller, "acme/cart")


async def test_the_subject_is_never_looked_at(bench: Bench) -> None:
    caller = await bench.proofs.prove(bench.signed(sub="repo:evil/evil:anything"))

    await bench.proofs.check(caller, "acme/cart")


def _part(value: Any) -> str:
    raw = json.dumps(value, default=lambda at: int(at.timestamp())).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


async def test_signatures_that_are_none_are_refused(bench: Bench) -> None:
    key = bench.issuer.signing()
    claims = bench.claims()
    forged = jwt.encode(claims, stranger()[0], "RS256", headers={"kid": key.kid})
    unsigned = f"{_part({'alg': 'none', 'kid': key.kid})}.{_part(claims)}."
    head = f"{_part({'alg': 'HS256', 'kid': key.kid})}.{_part(claims)}"
    # What is public is no secret: whoever takes it for one can be lied to.
    mac = hmac.new(key.public.encode(), head.encode(), sha256).digest()
    by_hmac = f"{head}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    own, *rest = bench.signed().split(".")
    swapped = ".".join((own, _part(bench.claims(repository_id="1")), rest[1]))

    for token in (forged, unsigned, by_hmac, swapped):
        with pytest.raises(NotProved, match="does not hold"):
            await bench.proofs.prove(token)


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "é.é.é", "x" * 20_000, "..", "e30.e30."]
)
async def test_what_is_no_token_is_refused_without_asking_anybody(
    bench: Bench, token: str
) -> None:
    with pytest.raises(NotProved):
        await bench.proofs.prove(token)

    assert bench.read == []


async def test_the_keys_are_read_anew_for_a_new_one_once_a_minute(
    bench: Bench,
) -> None:
    await bench.proofs.prove(bench.signed())
    for _ in range(9):
        with pytest.raises(NotProved, match="lacks"):
            await bench.proofs.prove(bench.signed(kid="made-up"))
    asked = len(bench.read)
    bench.issuer.rotate(forget=True)
    with pytest.raises(NotProved, match="lacks"):
        await bench.proofs.prove(bench.signed())
    assert len(bench.read) == asked == 2

    bench.world.small.clock.forward(minutes=1)
    await bench.proofs.prove(bench.signed())
    assert len(bench.read) == 4


async def test_many_jobs_at_once_read_the_keys_once(bench: Bench) -> None:
    tokens = [bench.signed() for _ in range(9)]

    await asyncio.gather(*map(bench.proofs.prove, tokens))

    assert len(bench.read) == 2


async def test_an_issuer_that_is_away_is_no_proof_against_a_job(
    bench: Bench,
) -> None:
    token = bench.signed()
    await bench.world.running.close()

    for _ in range(2):
        with pytest.raises(RetryLater):
            await bench.proofs.prove(token)


@pytest.mark.parametrize(
    ("api", "issuer"),
    [
        ("https://api.github.com", "https://token.actions.githubusercontent.com"),
        ("https://api.acme.ghe.com", "https://token.actions.acme.ghe.com"),
        ("https://git.acme.example/api/v3", "https://git.acme.example/_services/token"),
    ],
)
def test_who_signs_is_known_by_the_api(api: str, issuer: str) -> None:
    assert issuer_of(api) == issuer
