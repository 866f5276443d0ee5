"""What agents may do: a call of a tool, the team's rules for it, and the ruling."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from typing import Any


class Verdict(Enum):
    """What becomes of a call."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"  # a person answers


@dataclass(frozen=True)
class ToolCall:
    """What an agent wants to do, exactly.

    ``id`` is its program's own name for the call. ``subject`` is what rules and people
    look at: the command line, the path, the address.
    """

    id: str
    tool: str
    subject: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    cwd: str = ""
    diff: str = ""
    why: str = ""

    @property
    def key(self) -> str:
        """The same for the same deed, whatever it was called and when it was asked."""
        deed = json.dumps([self.tool, self.subject, self.arguments], sort_keys=True)
        return sha256(deed.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Ruling:
    """What was said of a call: by which rule or whom, and with which words."""

    verdict: Verdict
    rule: str = ""
    by: str = ""
    note: str = ""
