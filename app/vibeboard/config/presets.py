"""The prompts we ship, by name. Their texts are package data of ``domain/prompts``."""

from functools import cache
from importlib.resources import files

from vibeboard.errors import NotSupportedYet

_PROMPTS = files("vibeboard.domain") / "prompts"


@cache
def builtin_names() -> tuple[str, ...]:
    """The names of the prompts we ship, sorted."""
    names = (entry.name for entry in _PROMPTS.iterdir())
    return tuple(sorted(n.removesuffix(".md") for n in names if n.endswith(".md")))


@cache
def builtin_prompt(name: str) -> str:
    """The text of one of our prompts; raises NotSupportedYet if there is none."""
    if name not in builtin_names():
        message = f"builtin:{name} is not a prompt of this version"
        raise NotSupportedYet(message)
    return (_PROMPTS / f"{name}.md").read_text(encoding="utf-8")
