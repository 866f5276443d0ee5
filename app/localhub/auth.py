"""Who is calling: an App by its JWT, an installation or a person by a token.

REST, GraphQL, git and the pages authenticate here, and ask the same `Caller` what it
may.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from localhub.errors import Refused, forbidden, not_found
from localhub.state import ROLES, App, Hub, Organization, Repository, Token, User

LEVELS = ("read", "write", "admin")
READER_MAY_WRITE = {"issues", "pull_requests"}
"""What a person may write with read access: an issue, a comment, a pull request."""

_LONGEST = timedelta(minutes=10)
_LEEWAY = timedelta(seconds=60)


@dataclass(frozen=True)
class Caller:
    """Who made a request; nobody at all if everything is None."""

    user: User | None = None
    token: Token | None = None
    app: App | None = None
    """Set when the App itself calls, with a JWT."""

    @property
    def kind(self) -> str:
        """Name the kind of credentials, for the ledger."""
        if self.app is not None:
            return "app"
        if self.token is None:
            return "anonymous"
        return "user" if self.token.installation is None else "installation"

    @property
    def name(self) -> str:
        """Name the caller, for the ledger and the rate limit."""
        if self.app is not None:
            return self.app.slug
        return self.user.login if self.user else "anonymous"

    @property
    def actor(self) -> User:
        """Give the account that acts; an App's JWT or nobody cannot."""
        if self.user is None:
            raise Refused(401, "Requires authentication")
        return self.user

    def reaches(self, hub: Hub, repository: Repository) -> bool:
        """Tell whether the credentials cover a repository."""
        token = self.token
        if token is None or self.user is None:
            return False
        if token.installation is None:
            return repository.role(self.user) is not None
        inside = repository in hub.repositories_of(token.installation)
        chosen = token.repository_ids
        return inside and (chosen is None or repository.id in chosen)

    def granted(self, permission: str, level: str) -> bool:
        """Tell whether an installation token carries a permission."""
        assert self.token is not None
        held = (self.token.permissions or {}).get(permission)
        return held is not None and LEVELS.index(held) >= LEVELS.index(level)


def require(
    hub: Hub,
    caller: Caller,
    repository: Repository,
    needs: tuple[str, ...],
    role: str | None = None,
) -> None:
    """Refuse, as GitHub does, a caller who may not do this to a repository.

    `needs` are alternatives, each `permission:level`; any one suffices.
    """
    reads = all(one.endswith(":read") for one in needs)
    if not caller.reaches(hub, repository):
        if repository.private:
            raise not_found()
        if caller.kind == "installation" and not reads:
            raise forbidden()
        if reads:
            return
        if caller.kind == "anonymous":
            raise Refused(401, "Requires authentication")
    if caller.kind == "installation":
        if not any(caller.granted(*one.split(":")) for one in needs):
            raise forbidden()
        return
    _require_role(caller, repository, needs, role)


def _require_role(
    caller: Caller, repository: Repository, needs: tuple[str, ...], role: str | None
) -> None:
    permission, level = needs[0].split(":")
    if permission == "checks" and level == "write":
        raise Refused(403, "You must authenticate via a GitHub App.")
    if role is None:
        easy = level == "read" or permission in READER_MAY_WRITE
        role = "read" if easy else "write"
    held = repository.role(caller.actor) or ("read" if not repository.private else None)
    if held is None:
        raise not_found()
    if ROLES.index(held) < ROLES.index(role):
        raise Refused(403, "Must have admin rights to Repository.")


def require_organization(
    caller: Caller, organization: Organization, permission: str, level: str
) -> None:
    """Refuse a caller who may not do this to an organization."""
    token = caller.token
    if token is None:
        raise Refused(401, "Requires authentication")
    if token.installation is None:
        if caller.actor.login not in organization.members:
            raise not_found()
        return
    if token.installation.account is not organization:
        raise not_found()
    if not caller.granted(permission, level):
        raise forbidden()


def authenticate(hub: Hub, header: str | None) -> Caller:
    """Find who is behind an `Authorization` header."""
    if not header:
        return Caller()
    scheme, _, value = header.strip().partition(" ")
    if scheme.lower() == "basic":
        return by_token(hub, _basic(value))
    if scheme.lower() not in ("bearer", "token"):
        raise Refused(401, "Bad credentials")
    if value.startswith("eyJ") and value.count(".") == 2:  # noqa: PLR2004  (a JWT)
        return Caller(app=_app_of(hub, value))
    return by_token(hub, value)


def _basic(value: str) -> str:
    try:
        pair = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Refused(401, "Bad credentials") from None
    user, _, password = pair.partition(":")
    return password or user


def by_token(hub: Hub, value: str) -> Caller:
    """Find who holds a token."""
    token = hub.tokens.get(value)
    if token is None or (token.expires_at and hub.clock() >= token.expires_at):
        raise Refused(401, "Bad credentials")
    if token.installation is not None and token.installation.suspended_at:
        raise Refused(403, "This installation has been suspended")
    return Caller(user=token.user, token=token)


def _app_of(hub: Hub, encoded: str) -> App:
    import jwt  # noqa: PLC0415  (cryptography is slow to load, the server starts fast)

    undecodable = Refused(401, "A JSON web token could not be decoded")
    try:
        claims = jwt.decode(encoded, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise undecodable from None
    app = hub.app_by(str(claims.get("iss")))
    if app is None or not app.public_key:
        raise Refused(404, "Integration not found")
    try:
        # The times are checked below, by the hub's clock and with GitHub's words.
        jwt.decode(
            encoded,
            app.public_key,
            ["RS256"],
            options={"verify_exp": False, "verify_iat": False, "verify_aud": False},
        )
    except jwt.InvalidTokenError:
        raise undecodable from None
    _check_times(claims, hub.clock())
    return app


def _check_times(claims: dict[str, Any], now: datetime) -> None:
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(expires, int):
        raise Refused(401, "Missing 'exp' claim in assertion")
    if not isinstance(issued, int):
        raise Refused(401, "Missing 'iat' claim in assertion")
    ends = datetime.fromtimestamp(expires, UTC)
    if ends <= now:
        raise Refused(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing "
            "the future time at which the assertion expires",
        )
    if ends > now + _LONGEST + _LEEWAY:
        raise Refused(401, "'Expiration time' claim ('exp') is too far in the future")
    if datetime.fromtimestamp(issued, UTC) > now + _LEEWAY:
        raise Refused(
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time "
            "that the assertion was issued",
        )
