"""Takes secrets out of what is about to be shown to others.

Those that this server holds are known in every form that they are usually written in;
others are known by how they look. A secret that is cut or turned round passes: what an
agent must not tell, it must not be able to read.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

MARK = "[redacted]"
# What is shorter is as likely a word.
_SHORTEST = 12

_LOOKS = (
    r"gh[pousr]_[A-Za-z0-9_.-]{20,}",  # GitHub
    r"github_pat_[A-Za-z0-9_]{20,}",
    r"glpat-[A-Za-z0-9_-]{20,}",
    r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{20,}",  # Anthropic, OpenAI; not "risk-…"
    r"(?<![A-Za-z0-9])AKIA[0-9A-Z]{16}",
    r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}",
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[A-Za-z0-9_-]{50,}",
    r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    (
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
        r"[A-Za-z0-9+/=\s\\]{0,20000}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
    ),
)


class Redactor:
    """Knows secrets; ``redact`` is the same done once or twice."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """A secret of several lines is each of its lines, too."""
        parts = {part.strip() for one in secrets for part in (one, *one.splitlines())}
        forms = {
            form
            for part in parts
            if len(part) >= _SHORTEST
            for form in _forms(part)
            if len(form) >= _SHORTEST
        }
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        known = "|".join(map(re.escape, longest_first))
        self._any = re.compile("|".join(filter(None, (known, *_LOOKS))))

    def redact(self, text: str) -> str:
        """``text`` with a mark in the place of each secret."""
        while (shown := self._any.sub(MARK, text)) != text:
            text = shown  # what stood before one may have hidden another
        return text


def _forms(secret: str) -> Iterator[str]:
    """The secret as it is, in an address, in JSON, and in base64."""
    yield secret
    yield quote(secret, safe="")
    yield secret.replace("\n", "\\n")
    for before in range(3):
        data = bytes(before) + secret.encode()
        # Characters that neighbours have a part in are left out.
        first, last = -(-before * 8 // 6), len(data) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(data).decode()[first:last]
