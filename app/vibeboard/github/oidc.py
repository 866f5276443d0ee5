"""Proof of which job calls: the OIDC tokens that GitHub gives to jobs.

A token is believed for its signature and for what GitHub's own claims say. Its
subject is never taken apart: owners may change how that is written.
Source: docs.github.com, "OpenID Connect reference".
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import jwt
from pydantic import BaseModel, Field, ValidationError

from vibeboard.domain.workflow import AGENT_FILE
from vibeboard.engine.ports import Caller, Clock
from vibeboard.errors import NotProved, RetryLater
from vibeboard.github.answers import read
from vibeboard.github.client import Client
from vibeboard.github.objects import RepositoryLinks

log = logging.getLogger(__name__)

_USUAL = "https://token.actions.githubusercontent.com"
_LEEWAY = timedelta(minutes=1)
# Who makes keys up must not have us ask the issuer again and again.
_READ_AT_MOST = timedelta(minutes=1)
_READ_ANEW = timedelta(hours=6)
_FACTS_HOLD = timedelta(minutes=5)
_TIME_LIMIT = aiohttp.ClientTimeout(total=10)
_LONGEST_TOKEN = 16 * 1024
_LONGEST_ANSWER = 256 * 1024
_MOST_KEYS = 50


def issuer_of(api_url: str) -> str:
    """Who signs the tokens of jobs, by the address of GitHub's API."""
    parts = urlsplit(api_url)
    host = parts.hostname or ""
    if host == "api.github.com":
        return _USUAL
    if host.startswith("api.") and host.endswith(".ghe.com"):
        return f"https://token.actions.{host.removeprefix('api.')}"
    return f"{parts.scheme}://{parts.netloc}/_services/token"


class _Claims(BaseModel):
    """What GitHub says of a job, and we go by. Numbers come as text."""

    repository_id: int = Field(ge=1)
    run_id: int = Field(ge=1, lt=2**63)
    run_attempt: int = Field(ge=1, lt=2**31)
    event_name: str
    workflow_ref: str = Field(max_length=1000)


class _Configuration(BaseModel):
    """What an issuer says of itself."""

    issuer: str
    jwks_uri: str


@dataclass(frozen=True)
class _Facts:
    """What a token has to agree with."""

    id: int
    workflow_ref: str
    until: datetime


class Issuer:
    """The issuer's public keys, read when they are needed."""

    def __init__(
        self, url: str, session: aiohttp.ClientSession, *, clock: Clock
    ) -> None:
        self.url = url.rstrip("/")
        self._session = session
        self._clock = clock
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._read_at: datetime | None = None
        self._is_away = False
        self._reading = asyncio.Lock()

    async def key(self, name: str) -> jwt.PyJWK:
        """The key of this name; raises NotProved if the issuer has none."""
        if not self._is_fresh(name):
            async with self._reading:
                if not self._is_fresh(name) and self._may_read():
                    await self._read()
        if self._is_away and not self._keys:
            message = "the issuer of the job's token cannot be asked now"
            raise RetryLater(message, after=timedelta(seconds=10))
        if name not in self._keys:
            raise NotProved("the token is signed with a key that its issuer lacks")
        return self._keys[name]

    async def names(self) -> Sequence[str]:
        """The names of all keys there are; raises RetryLater if nobody tells."""
        async with self._reading:
            if self._read_at is None:
                await self._read()
        if not self._keys:
            message = f"{self.url} tells of no keys"
            raise RetryLater(message)
        return tuple(self._keys)

    def _is_fresh(self, name: str) -> bool:
        return (
            name in self._keys
            and self._read_at is not None
            and self._clock.now() - self._read_at < _READ_ANEW
        )

    def _may_read(self) -> bool:
        asked = self._read_at
        return asked is None or self._clock.now() - asked >= _READ_AT_MOST

    async def _read(self) -> None:
        self._read_at = self._clock.now()
        try:
            told = await self._get(f"{self.url}/.well-known/openid-configuration")
            configuration = _Configuration.model_validate(told)
            if configuration.issuer.rstrip("/") != self.url or not _same_origin(
                configuration.jwks_uri, self.url
            ):
                log.error("the issuer of tokens says it is another")
                return
            found = await self._get(configuration.jwks_uri)
        except (aiohttp.ClientError, TimeoutError, ValueError) as away:
            # Those that we know are good for a while.
            log.warning("cannot read the keys of tokens", extra={"why": str(away)})
            self._is_away = True
            return
        self._is_away = False
        self._keys = dict(_keys_in(found))

    async def _get(self, url: str) -> Any:
        async with self._session.get(
            url, timeout=_TIME_LIMIT, allow_redirects=False
        ) as answer:
            answer.raise_for_status()
            body = await answer.content.read(_LONGEST_ANSWER)
            while len(body) < _LONGEST_ANSWER and (
                more := await answer.content.read(_LONGEST_ANSWER - len(body))
            ):
                body += more
        return json.loads(body)


def _same_origin(one: str, other: str) -> bool:
    return urlsplit(one)[:2] == urlsplit(other)[:2]


def _keys_in(found: Any) -> list[tuple[str, jwt.PyJWK]]:
    """The keys by name; those that are not RSA's are no use."""
    listed = found.get("keys") if isinstance(found, dict) else None
    keys = []
    for one in (listed if isinstance(listed, list) else [])[:_MOST_KEYS]:
        if isinstance(one, dict) and one.get("kty") == "RSA" and one.get("kid"):
            with suppress(jwt.PyJWTError):
                keys.append((str(one["kid"]), jwt.PyJWK(one, algorithm="RS256")))
    return keys


class JobProofs:
    """Satisfies the port ``Proofs`` by tokens made out to ``audience``."""

    def __init__(
        self, github: Client, issuer: Issuer, *, audience: str, clock: Clock
    ) -> None:
        self._github = github
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._facts: dict[str, _Facts] = {}

    async def prove(self, token: str) -> Caller:
        """Which job shows the token; raises NotProved with the reason."""
        if not token or len(token) > _LONGEST_TOKEN:
            raise NotProved("show the job's token: `Authorization: Bearer <token>`")
        try:
            name = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError as error:
            raise NotProved("that is no token of a job") from error
        if not isinstance(name, str):
            raise NotProved("the token does not name its key")
        key = await self._issuer.key(name)
        try:
            # No other algorithm: with HMAC our public key would be the secret.
            told = jwt.decode(
                token,
                key.key,
                algorithms=["RS256"],
                issuer=self._issuer.url,
                audience=self._audience,
                leeway=_LEEWAY,
                options={
                    "require": ["iss", "aud", "exp", "nbf"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError as error:
            raise NotProved(f"the token does not hold: {error}") from error
        self._check_time(told)
        try:
            claims = _Claims.model_validate(told)
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            raise NotProved(f"the token's {place} cannot be read") from None
        if claims.event_name != "workflow_dispatch":
            raise NotProved("the job was not started by `workflow_dispatch`")
        return Caller(
            posting=claims.run_id,
            attempt=claims.run_attempt,
            repository=claims.repository_id,
            workflow=claims.workflow_ref,
        )

    def _check_time(self, told: Mapping[str, Any]) -> None:
        now = self._clock.now().timestamp()
        leeway = _LEEWAY.total_seconds()
        try:
            begins, ends = float(told["nbf"]), float(told["exp"])
        except (TypeError, ValueError):
            raise NotProved("the token does not say when it holds") from None
        if not begins - leeway <= now < ends + leeway:
            raise NotProved("the token has expired, or a clock is wrong")

    async def check(self, caller: Caller, repository: str) -> None:
        """Raise NotProved unless the caller is this repository's own workflow.

        The workflow is that of the default branch: on another branch anybody who may
        push could have written it.
        """
        facts = await self._of(repository)
        if caller.repository != facts.id:
            raise NotProved("the job is another repository's")
        if caller.workflow.casefold() != facts.workflow_ref.casefold():
            message = f"the job is not of {AGENT_FILE} on the default branch"
            raise NotProved(message)

    async def _of(self, repository: str) -> _Facts:
        known = self._facts.get(repository)
        if known is not None and self._clock.now() < known.until:
            return known
        installation, names = await self._github.of(repository)
        answer = await installation.getitem("/repos/{owner}/{name}", names)
        links = read(RepositoryLinks, answer)
        branch = f"refs/heads/{links.default_branch}"
        facts = _Facts(
            links.id,
            f"{links.full_name}/{AGENT_FILE}@{branch}",
            self._clock.now() + _FACTS_HOLD,
        )
        self._facts[repository] = facts
        return facts
