"""Proving to GitHub who we are: the App's JWT and installation tokens.

Tokens are opaque (their form changed in 2026 and may again), live an hour, and
appear in no log and no ``repr``. One token is minted for all who wait for it.
Source: docs.github.com, "Generating a JSON Web Token (JWT) for a GitHub App" and
"Generating an installation access token".
"""

import asyncio
import email.utils
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from vibeboard.engine.ports import Clock
from vibeboard.errors import SettingsInvalid
from vibeboard.github.pace import Pause
from vibeboard.github.turns import Turn, Turns

# GitHub refuses a life above ten minutes; a minute is left for clocks that differ.
_BACKDATED = timedelta(seconds=60)
_LIFE = timedelta(minutes=9)
_JWT_RENEWED = timedelta(minutes=2)
# A push that begins with a token has to end with it, by a clock that may be wrong.
_TOKEN_RENEWED = timedelta(minutes=10)
# A new token is not known to all of GitHub at once.
_SETTLES_WITHIN = timedelta(seconds=5)
_PATIENCE = 3


class Credential(Protocol):
    """What a request is authorised with."""

    async def authorization(self) -> str:
        """The header's value, valid now."""
        ...

    async def rejected(self, authorization: str, *, date: str, attempt: int) -> bool:
        """GitHub answered 401 at ``date``; whether to ask once more."""
        ...


PrivateKey = str | Callable[[], str]


class AppCredential:
    """The App itself: a JWT signed with its private key.

    ``app_id`` is the App's client id (GitHub's advice) or its numeric id.
    ``private_key`` is PEM text, or what reads it: then a key that was changed is
    found when GitHub takes the old one no more.
    """

    def __init__(self, app_id: str, private_key: PrivateKey, clock: Clock) -> None:
        self._app_id = app_id
        self._read = private_key if callable(private_key) else None
        self._text = private_key() if callable(private_key) else private_key
        self._key = _load(self._text)
        self._clock = clock
        self._skew = timedelta(0)
        self._jwt = ""
        self._expires = _LONG_AGO

    def now(self) -> datetime:
        """The present by GitHub's clock, as far as we know it."""
        return self._clock.now() + self._skew

    async def authorization(self) -> str:
        """``Bearer`` and a JWT; the same one for some minutes."""
        now = self.now()
        if now + _JWT_RENEWED >= self._expires:
            self._expires = now - _BACKDATED + _LIFE
            claims = {
                "iat": int((now - _BACKDATED).timestamp()),
                "exp": int(self._expires.timestamp()),
                "iss": self._app_id,
            }
            self._jwt = jwt.encode(claims, self._key, algorithm="RS256")
        return f"Bearer {self._jwt}"

    async def rejected(self, authorization: str, *, date: str, attempt: int) -> bool:
        """Set our clock by GitHub's, or read the key anew, if that was the reason."""
        del authorization
        if attempt > 1 or not (self._set_clock(date) or await self._changed()):
            return False
        self._expires = _LONG_AGO
        return True

    def _set_clock(self, date: str) -> bool:
        try:
            theirs = email.utils.parsedate_to_datetime(date)
        except (TypeError, ValueError):
            return False
        if theirs.tzinfo is None:
            return False
        off_by = theirs - self.now()
        if abs(off_by) < _SETTLES_WITHIN:
            return False
        self._skew += off_by
        return True

    async def _changed(self) -> bool:
        if self._read is None:
            return False
        text = await asyncio.to_thread(self._read)
        if text == self._text:
            return False
        self._key, self._text = _load(text), text
        return True


class PersonalCredential:
    """A person, by a token of theirs: it is read anew when GitHub takes it no more."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._read = token
        self._token = token()

    async def authorization(self) -> str:
        """``Bearer`` and the token."""
        return f"Bearer {self._token}"

    async def rejected(self, authorization: str, *, date: str, attempt: int) -> bool:
        """Read the token anew, if it has changed."""
        del authorization, date
        before, self._token = self._token, await asyncio.to_thread(self._read)
        return attempt == 0 and before != self._token


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _load(private_key: str) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        message = "the App's private key is not an RSA key in PEM form"
        raise SettingsInvalid(message)
    return key


@dataclass(frozen=True)
class Scope:
    """What a token may do; empty means everything the installation may.

    ``repositories`` are names without their owner.
    """

    repositories: tuple[str, ...] = ()
    permissions: tuple[tuple[str, str], ...] = ()

    def request(self) -> Mapping[str, object]:
        """The body that asks GitHub for such a token."""
        body: dict[str, object] = {}
        if self.repositories:
            body["repositories"] = list(self.repositories)
        if self.permissions:
            body["permissions"] = dict(self.permissions)
        return body


EVERYTHING = Scope()


@dataclass(frozen=True)
class Token:
    """A minted installation token."""

    value: str = field(repr=False)
    minted_at: datetime
    expires_at: datetime


Mint = Callable[[Scope], Awaitable[Token]]


class InstallationCredential:
    """An installation of the App: tokens, kept until shortly before they expire."""

    def __init__(self, mint: Mint, now: Callable[[], datetime], pause: Pause) -> None:
        self._mint = mint
        self._now = now
        self._pause = pause
        self._tokens: dict[Scope, Token] = {}
        self._minting: Turns[None, Token] = Turns()

    async def token(self, scope: Scope = EVERYTHING) -> str:
        """A token that stays valid for a while; one call mints for all who wait."""
        token = self._valid(scope)
        if token is None:

            async def mint(turn: Turn[None]) -> Token:
                # Who came while another minted for those before finds it here.
                found = self._valid(scope)
                if found is None:
                    found = self._tokens[scope] = await self._mint(scope)
                turn.take()
                return found

            token = await self._minting.share(scope, None, mint)
        return token.value

    def _valid(self, scope: Scope) -> Token | None:
        token = self._tokens.get(scope)
        if token is None or self._now() + _TOKEN_RENEWED >= token.expires_at:
            return None
        return token

    async def authorization(self) -> str:
        """``Bearer`` and a token for the whole installation."""
        return f"Bearer {await self.token()}"

    async def rejected(self, authorization: str, *, date: str, attempt: int) -> bool:
        """Wait for a young token to become known; put an old one away."""
        del date
        token = self._tokens.get(EVERYTHING)
        if token is None or authorization != f"Bearer {token.value}":
            return attempt < _PATIENCE  # somebody else put it away already
        if self._now() - token.minted_at < _SETTLES_WITHIN and attempt < _PATIENCE - 1:
            await self._pause(timedelta(seconds=attempt + 1))
        else:
            self._tokens.pop(EVERYTHING)
        return attempt < _PATIENCE
