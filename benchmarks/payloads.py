"""GitHub's official example deliveries, as GitHub would send them: compact and signed.

Source: npm ``@octokit/webhooks-examples``, fetched as the tests fetch it.
"""

import hashlib
import hmac
import json
from collections import defaultdict
from dataclasses import dataclass
from itertools import chain, zip_longest

from tests import contracts

SECRET = b"the benchmark's secret"
EVENTS = ("issues", "issue_comment", "projects_v2_item", "pull_request")


@dataclass(frozen=True)
class Payload:
    """One example: the event's name and the raw body."""

    event: str
    body: bytes

    def request(self, path: str) -> tuple[bytes, bytes]:
        """The HTTP request in two parts; the delivery's GUID goes between them."""
        old = hmac.new(SECRET, self.body, hashlib.sha1).hexdigest()
        new = hmac.new(SECRET, self.body, hashlib.sha256).hexdigest()
        first = (
            f"POST {path} HTTP/1.1\r\n"
            "Host: 127.0.0.1\r\n"
            "User-Agent: GitHub-Hookshot/0000000\r\n"
            "Accept: */*\r\n"
            "Content-Type: application/json\r\n"
            "X-GitHub-Delivery: "
        )
        second = (
            "\r\n"
            f"X-GitHub-Event: {self.event}\r\n"
            "X-GitHub-Hook-ID: 292430182\r\n"
            "X-GitHub-Hook-Installation-Target-ID: 79929171\r\n"
            "X-GitHub-Hook-Installation-Target-Type: integration\r\n"
            f"X-Hub-Signature: sha1={old}\r\n"
            f"X-Hub-Signature-256: sha256={new}\r\n"
            f"Content-Length: {len(self.body)}\r\n"
            "\r\n"
        )
        return first.encode(), second.encode() + self.body


def payloads() -> list[Payload]:
    """Every official example of the four events, in turns: one event, then the next."""
    found = defaultdict(list)
    for event in contracts.document(contracts.WEBHOOK_EXAMPLES):
        for example in event["examples"]:
            body = json.dumps(example, separators=(",", ":"), ensure_ascii=False)
            found[event["name"]].append(Payload(event["name"], body.encode()))
    longest = max(len(found[name]) for name in EVENTS)
    # The events with fewer examples go round again, so that all come equally often.
    columns = [(found[name] * longest)[:longest] for name in EVENTS]
    return [one for one in chain(*zip_longest(*columns)) if one is not None]
