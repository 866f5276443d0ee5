"""Who may read over HTTP: programs that show a token of the operator's."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from aiohttp import web

_NOT_SHOWN = "show the operator's token: `Authorization: Bearer <token>`"


class Access:
    """Compares tokens in constant time. Without any, nobody may."""

    def __init__(
        self, tokens: Sequence[bytes], *, setting: str = "VIBEBOARD_API_TOKEN_FILE"
    ) -> None:
        """``setting`` is what the operator sets for there to be tokens."""
        self._setting = setting
        self._digests = [sha256(token).digest() for token in tokens]

    def refusal(self, request: web.Request) -> web.Response | None:
        """Why the request is not answered; None if it may be."""
        if not self._digests:
            told = f"this server has no API for that: {self._setting} is not set"
            return web.json_response({"error": told}, status=404)
        if self._fits(request.headers.get("Authorization", "")):
            return None
        return web.json_response(
            {"error": _NOT_SHOWN}, status=401, headers={"WWW-Authenticate": "Bearer"}
        )

    def _fits(self, shown: str) -> bool:
        scheme, _, token = shown.partition(" ")
        digest = sha256(token.strip().encode(errors="replace")).digest()
        # All of them, so that the time does not tell which.
        fits = [hmac.compare_digest(digest, known) for known in self._digests]
        return scheme.casefold() == "bearer" and any(fits)
