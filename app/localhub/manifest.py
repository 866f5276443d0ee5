"""Registering an App by manifest: the form, and the code that is exchanged once."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from yarl import URL

from localhub import apps, auth
from localhub.errors import Refused, not_found
from localhub.keys import generate
from localhub.render import accounts
from localhub.rest.call import PREFIX, answer
from localhub.state import App, Hub, User

LIFETIME = timedelta(hours=1)
ALWAYS_SENT = ("installation", "installation_repositories")


@dataclass(frozen=True)
class _Code:
    app: App
    ends: datetime


class Manifests:
    """The three addresses of the manifest flow."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._codes: dict[str, _Code] = {}

    def routes(self) -> list[web.RouteDef]:
        """List the addresses."""
        return [
            web.post("/settings/apps/new", self.register),
            web.post("/organizations/{org}/settings/apps/new", self.register),
            web.post(f"{PREFIX}/app-manifests/{{code}}/conversions", self.convert),
        ]

    def _owner(self, request: web.Request) -> User:
        org = request.match_info.get("org")
        if org is not None:
            found = self._hub.organization(org)
            if found is None:
                raise not_found()
            return found
        # A browser here is nobody in particular: the first person registers.
        header = request.headers.get("Authorization")
        caller = auth.authenticate(self._hub, header)
        people = [one for one in self._hub.users.values() if one.type == "User"]
        return caller.user or people[0]

    async def register(self, request: web.Request) -> web.Response:
        """Take the manifest, register the App, go back with a code."""
        form = await request.post()
        try:
            manifest: dict[str, Any] = json.loads(str(form["manifest"]))
            back = str(manifest["redirect_url"])
            hook = manifest.get("hook_attributes") or {}
        except (KeyError, ValueError):
            raise Refused(422, "The manifest is not valid") from None
        events = manifest.get("default_events") or []
        if any(one in ALWAYS_SENT for one in events):
            raise Refused(422, "Default events are not supported for lifecycle events")
        app = self._create(self._owner(request), manifest, hook, events)
        code = secrets.token_hex(20)
        self._codes[code] = _Code(app, self._hub.clock() + LIFETIME)
        query = {"code": code}
        if request.query.get("state"):
            query["state"] = request.query["state"]
        where = URL(back).update_query(query)
        return web.Response(status=302, headers={"Location": str(where)})

    def _create(
        self,
        owner: User,
        manifest: dict[str, Any],
        hook: dict[str, Any],
        events: list[str],
    ) -> App:
        private, public = generate()
        name = str(manifest.get("name") or f"app-{secrets.token_hex(3)}")
        return apps.register(
            self._hub,
            slug=name.lower().replace(" ", "-"),
            name=name,
            owner=owner,
            private_key=private,
            public_key=public,
            webhook_url=hook.get("url"),
            webhook_secret=secrets.token_hex(20),
            permissions=manifest.get("default_permissions") or {},
            events=events,
        )

    async def convert(self, request: web.Request) -> web.Response:
        """Exchange a code for the App with its secrets, once."""
        found = self._codes.pop(request.match_info["code"], None)
        if found is None or found.ends <= self._hub.clock():
            raise not_found()
        app = found.app
        return answer(
            {
                **accounts.app(self._hub, app),
                "client_id": app.client_id,
                "client_secret": app.client_secret,
                "webhook_secret": app.webhook_secret,
                "pem": app.private_key,
            },
            201,
        )
