"""Writes every API call and webhook to a file, for checks against GitHub's contracts.

One JSON object a line. Credentials are not written.
"""

import json
import os
import re
import secrets
from pathlib import Path
from typing import IO, Any

from aiohttp import web

from localhub.state import Delivery

KEPT = ("Accept", "Content-Type", "X-GitHub-Api-Version", "User-Agent")
_PATTERN = re.compile(r"\{(\w+)(?::[^{}]*)?\}")


class Recorder:
    """A file of its own in a folder; without a folder nothing is written."""

    def __init__(self, folder: Path | None) -> None:
        self._file: IO[str] | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            name = f"localhub-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
            self._file = (folder / name).open("a", encoding="utf-8")

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()

    def call(
        self, kind: str, request: web.Request, body: bytes, response: web.Response
    ) -> None:
        """Record a REST or GraphQL call."""
        if self._file is None:
            return
        resource = request.match_info.route.resource
        template = resource.canonical if resource else request.path
        answered = response.body
        text = (
            answered.decode(errors="replace") if isinstance(answered, bytes) else None
        )
        self._write(
            {
                "kind": kind,
                "method": request.method,
                "path": _PATTERN.sub(r"{\1}", template).removeprefix("/api/v3"),
                "url": str(request.url),
                "query": list(request.query.items()),
                "headers": {
                    name: request.headers[name]
                    for name in KEPT
                    if name in request.headers
                },
                "body": body.decode(errors="replace"),
                "status": response.status,
                "response_headers": dict(response.headers),
                "response_body": text,
            }
        )

    def webhook(self, one: Delivery, url: str) -> None:
        """Record a webhook that is being sent."""
        self._write(
            {
                "kind": "webhook",
                "url": url,
                "event": one.event,
                "action": one.action,
                "headers": {
                    name: value
                    for name, value in one.headers.items()
                    if "Signature" not in name
                },
                "body": one.body,
            }
        )

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
