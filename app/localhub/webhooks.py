"""Webhooks: to whom, signed, in order, once; a failure is recorded and not retried.

Tests and demos may order the courier to drop, duplicate, reorder, hold or delay.
"""

import asyncio
import hmac
import json
import time
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from aiohttp import web

from localhub import render
from localhub.apps import LIFECYCLE
from localhub.recorder import Recorder
from localhub.state import App, Delivery, Emission, Hub, Installation

TIMEOUT = aiohttp.ClientTimeout(total=10)
LARGEST = 25 * 1024 * 1024
AGENT = "GitHub-Hookshot/localhub"


def receivers(hub: Hub, what: Emission) -> Iterator[tuple[App, Installation | None]]:
    """Find the Apps that an emission concerns."""
    if what.event in LIFECYCLE:
        if what.only is not None:
            yield what.only, None
        return
    for one in list(hub.installations.values()):
        if what.only not in (None, one.app) or one.suspended_at:
            continue
        # Check events asking an App for work come to it without a subscription.
        asked = what.only is one.app
        if not asked and what.event not in one.events:
            continue
        if what.repository is not None:
            concerned = what.repository in hub.repositories_of(one)
        else:
            concerned = what.organization is one.account
        if concerned:
            yield one.app, one


def body_of(hub: Hub, what: Emission, installation: Installation | None) -> str:
    """Write the payload for one receiver."""
    payload: dict[str, Any] = dict(what.payload)
    if what.repository is not None:
        payload["repository"] = render.repository(hub, what.repository)
    if what.organization is not None:
        payload["organization"] = render.organization(hub, what.organization)
    if installation is not None:
        payload["installation"] = {
            "id": installation.id,
            "node_id": installation.node_id,
        }
    payload["sender"] = render.user(hub, what.sender)
    return json.dumps(payload, ensure_ascii=False)


def signature(secret: str, body: bytes, algorithm: str) -> str:
    """Sign a body."""
    return hmac.new(secret.encode(), body, algorithm).hexdigest()


@dataclass
class Orders:
    """What the courier was told to do wrong."""

    drop: int = 0
    duplicate: int = 0
    reorder: int = 0
    """Collect this many, then deliver them last to first."""
    delay: float = 0.0
    paused: bool = False


@dataclass
class Courier:
    """Carries deliveries to Apps, one after the other."""

    hub: Hub
    recorder: Recorder
    orders: Orders = field(default_factory=Orders)
    waiting: deque[Delivery] = field(default_factory=deque)
    busy: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, what: Emission) -> None:
        """Queue an emission for everybody whom it concerns."""
        for app, installation in receivers(self.hub, what):
            if app.webhook_url:
                self._queue(self._prepare(app, installation, what))

    def _prepare(
        self, app: App, installation: Installation | None, what: Emission
    ) -> Delivery:
        body = body_of(self.hub, what, installation)
        guid = str(uuid.uuid4())
        about = what.payload.get("installation", {}).get("id")
        return Delivery(
            id=self.hub.new_delivery_id(),
            guid=guid,
            app=app,
            event=what.event,
            action=what.payload.get("action"),
            installation_id=installation.id if installation else about,
            repository_id=what.repository.id if what.repository else None,
            headers=_headers(app, what.event, guid, body.encode()),
            body=body,
        )

    def redeliver(self, one: Delivery) -> None:
        """Send again what was sent: another id, the same GUID."""
        body = one.body.encode()
        again = replace(
            one,
            id=self.hub.new_delivery_id(),
            redelivery=True,
            delivered_at=None,
            status="pending",
            status_code=0,
            headers=_headers(one.app, one.event, one.guid, body),
            response_headers={},
            response_body="",
        )
        self._queue(again)

    def _queue(self, one: Delivery) -> None:
        self.hub.deliveries.append(one)
        self.waiting.append(one)
        self._changed.set()

    def order(self, orders: Orders) -> None:
        """Change what is done wrong."""
        self.orders = orders
        self._changed.set()

    @property
    def idle(self) -> bool:
        """Tell whether nothing is under way (what is held does not count)."""
        held = self.orders.paused or self.orders.reorder > len(self.waiting)
        return not self.busy and (held or not self.waiting)

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            while True:
                self._changed.clear()
                batch = self._batch()
                if not batch:
                    await self._changed.wait()
                self.busy = True
                for one in batch:
                    await self._deliver(session, one)
                self.busy = False

    def _batch(self) -> list[Delivery]:
        orders = self.orders
        if orders.paused or not self.waiting:
            return []
        if not orders.reorder:
            return [self.waiting.popleft()]
        if len(self.waiting) < orders.reorder:
            return []
        batch = [self.waiting.popleft() for _ in range(orders.reorder)]
        orders.reorder = 0
        return batch[::-1]

    async def _deliver(self, session: aiohttp.ClientSession, one: Delivery) -> None:
        orders = self.orders
        if orders.delay:
            await asyncio.sleep(orders.delay)
        one.delivered_at = self.hub.clock()
        if orders.drop:
            orders.drop -= 1
            one.status, one.status_code = "failed to connect to host", 502
            return
        await self._send(session, one)
        if orders.duplicate:
            orders.duplicate -= 1
            await self._send(session, one)

    async def _send(self, session: aiohttp.ClientSession, one: Delivery) -> None:
        body = one.body.encode()
        url = one.app.webhook_url
        if url is None or len(body) > LARGEST:
            one.status = "payload too large" if url else "no address"
            return
        self.recorder.webhook(one, url)
        began = time.monotonic()
        try:
            async with session.post(url, data=body, headers=one.headers) as response:
                one.status_code = response.status
                one.response_headers = dict(response.headers)
                text = await response.content.read(65_536)
                one.response_body = text.decode(errors="replace")
                wrong = f"Invalid HTTP Response: {response.status}"
                one.status = "OK" if response.ok else wrong
        except TimeoutError:
            one.status, one.status_code = "timed out", 504
        except (aiohttp.ClientError, OSError):
            one.status, one.status_code = "failed to connect to host", 502
        one.duration = time.monotonic() - began


def _headers(app: App, event: str, guid: str, body: bytes) -> dict[str, str]:
    headers = {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": AGENT,
        "X-GitHub-Delivery": guid,
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": str(app.hook_id),
        "X-GitHub-Hook-Installation-Target-ID": str(app.id),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
    }
    if app.webhook_secret:
        sha1 = signature(app.webhook_secret, body, "sha1")
        sha256 = signature(app.webhook_secret, body, "sha256")
        headers["X-Hub-Signature"] = f"sha1={sha1}"
        headers["X-Hub-Signature-256"] = f"sha256={sha256}"
    return headers


COURIER = web.AppKey("courier", Courier)
