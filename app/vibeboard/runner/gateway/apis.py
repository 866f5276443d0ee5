"""The APIs of models as the gateway knows them: where they are, and what may be asked.

What is not listed here is refused. How a request's contents are judged is
``asked.py``'s, how answers are counted ``tokens.py``'s.
"""

import re
from dataclasses import dataclass, field
from enum import Enum


class Provider(Enum):
    """Whose API it is; the value is the first part of the path at the gateway."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    GEMINI = "gemini"


@dataclass(frozen=True)
class Shape:
    """How a provider's API looks.

    ``below`` is what programs expect their base address to end with. ``paid`` are the
    paths that make a model answer, ``free`` those that do not, ``read`` those of GET.
    ``address`` and ``key`` are the variables by which programs know both.
    """

    usual: str
    paid: re.Pattern[str]
    free: re.Pattern[str]
    read: re.Pattern[str]
    key_header: str
    key_prefix: str
    address: str
    key: str
    below: str = ""

    def kind(self, method: str, path: str) -> "Kind | None":
        """What kind of request this is; None if it may not be made."""
        if method == "POST" and self.paid.fullmatch(path):
            return Kind.PAID
        if method == "POST" and self.free.fullmatch(path):
            return Kind.FREE
        if method == "GET" and self.read.fullmatch(path):
            return Kind.READ
        return None


class Kind(Enum):
    """What a request does."""

    PAID = "paid"
    FREE = "free"
    READ = "read"


_NAME = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}"

SHAPES = {
    Provider.ANTHROPIC: Shape(
        usual="https://api.anthropic.com",
        paid=re.compile(r"/v1/messages"),
        free=re.compile(r"/v1/messages/count_tokens"),
        read=re.compile(rf"/v1/models(/{_NAME})?"),
        key_header="x-api-key",
        key_prefix="",
        address="ANTHROPIC_BASE_URL",
        key="ANTHROPIC_API_KEY",
    ),
    Provider.OPENAI: Shape(
        usual="https://api.openai.com/v1",
        paid=re.compile(r"/responses(/compact)?|/chat/completions"),
        free=re.compile(r"(?!)"),
        read=re.compile(rf"/models(/{_NAME})?"),
        key_header="authorization",
        key_prefix="Bearer ",
        address="OPENAI_BASE_URL",
        key="OPENAI_API_KEY",
        below="/v1",
    ),
    Provider.GEMINI: Shape(
        usual="https://generativelanguage.googleapis.com",
        paid=re.compile(
            rf"/v1(alpha|beta)?/models/{_NAME}:(generateContent|streamGenerateContent)"
        ),
        free=re.compile(rf"/v1(alpha|beta)?/models/{_NAME}:countTokens"),
        read=re.compile(rf"/v1(alpha|beta)?/models(/{_NAME})?"),
        key_header="x-goog-api-key",
        key_prefix="",
        address="GOOGLE_GEMINI_BASE_URL",
        key="GEMINI_API_KEY",
    ),
}


@dataclass(frozen=True)
class Account:
    """The operator's access to a provider. The key never leaves this process."""

    provider: Provider
    url: str
    key: str | None = field(default=None, repr=False)

    @property
    def shape(self) -> Shape:
        """How its API looks."""
        return SHAPES[self.provider]
