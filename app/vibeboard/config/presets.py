"""The prompts we ship, by name. Their texts are package data of ``domain/prompts``."""

from functools import cache
from importlib.resources import files

from vibeboard.errors import NotSupportedYet

_PROMPTS = files("vibeboard.domain") / "prompts"
_OF_REVIEWS = "reviews"


@cache
def builtin_names() -> tuple[str, ...]:
    """The names of the prompts we ship for stages, sorted."""
    return _names()


@cache
def review_names() -> tuple[str, ...]:
    """The names of the prompts we ship for specialists, sorted."""
    return _names(_OF_REVIEWS)


def review_key(name: str) -> str:
    """What ``builtin_prompt`` knows a specialist's prompt by."""
    return f"{_OF_REVIEWS}/{name}"


@cache
def builtin_prompt(name: str) -> str:
    """The text of one of our prompts; raises NotSupportedYet if there is none."""
    if name not in {*builtin_names(), *map(review_key, review_names())}:
        message = f"builtin:{name} is not a prompt of this version"
        raise NotSupportedYet(message)
    return _PROMPTS.joinpath(f"{name}.md").read_text(encoding="utf-8")


def _names(*below: str) -> tuple[str, ...]:
    names = (entry.name for entry in _PROMPTS.joinpath(*below).iterdir())
    return tuple(sorted(n.removesuffix(".md") for n in names if n.endswith(".md")))
