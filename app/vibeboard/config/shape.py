"""Holds a document against the models and says each fault in plain words."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vibeboard.config import models
from vibeboard.config.document import Document, Key
from vibeboard.config.models import VibeYml
from vibeboard.errors import Fault

# More faults than anybody reads at once; guessing at each costs time.
MOST_FAULTS = 100

_PATTERNS = {
    models.NAME: "must be a name: a letter, then at most 39 letters, digits, - or _",
    models.ONE_LINE: "must be one line of text that is not empty",
    models.NOT_BLANK: "must be text that is not empty",
    models.VARIABLE: "must be the name of a variable: letters, digits and _",
    models.BOARD: "must be the project's number, or owner/number",
}

_SAID: Mapping[str, str] = {
    "missing": "the key {key!r} is missing",
    "string_type": "must be text; put it in quotes if it is",
    "string_too_long": "must be no longer than {max_length} characters",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number that is not infinite",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "list_type": "must be a list, such as [a, b]",
    "dict_type": "must be a mapping of names",
    "model_type": "must be a mapping of keys",
    "too_short": "must not be empty",
    "too_long": "must have no more than {max_length} entries",
    "literal_error": "must be {expected}",
}


def check(document: Document) -> tuple[VibeYml | None, tuple[Fault, ...]]:
    """The file as a model, or the faults of its shape."""
    try:
        return VibeYml.model_validate(document.value), ()
    except ValidationError as error:
        errors = error.errors(include_url=False)[:MOST_FAULTS]
        return None, tuple(_faults(document, errors))


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?``, or nothing when nothing is near."""
    by_fold = {each.casefold(): each for each in known}
    found = get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return f"; did you mean {by_fold[found[0]]!r}?" if found else ""


def _faults(document: Document, errors: list[ErrorDetails]) -> Iterator[Fault]:
    for error in errors:
        location: list[Key] = list(error["loc"])
        match error["type"]:
            case "extra_forbidden":
                *above, key = location
                known = _keys(VibeYml, above)
                message = f"unknown key {key!r}{nearest(str(key), known)}"
                yield document.fault(location, message, at_key=True)
            case "missing":
                *above, key = location
                message = _SAID["missing"].format(key=key)
                yield document.fault(above, message, at_key=True)
            case _ if location[-1:] == ["[key]"]:
                yield document.fault(location[:-1], _said(error), at_key=True)
            case _:
                yield document.fault(location, _said(error))


def _said(error: ErrorDetails) -> str:
    given = error.get("ctx", {})
    if error["type"] == "string_pattern_mismatch":
        return _PATTERNS[given["pattern"]]
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        words = given["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return f"must be {given['expected']}{nearest(error['input'], words)}"
    template = _SAID.get(error["type"])
    return template.format(**given) if template else error["msg"]


def _keys(model: type[BaseModel], above: list[Key]) -> list[str]:
    """The keys that may stand at ``above``."""
    found: Any = model
    for key in above:
        if isinstance(found, type) and issubclass(found, BaseModel):
            found = _plain(found.model_fields[str(key)].annotation)
        elif get_origin(found) is dict:
            found = _plain(get_args(found)[1])
    return list(found.model_fields)


def _plain(annotation: Any) -> Any:
    """The type without ``Annotated`` and without ``None``."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        (only,) = (a for a in get_args(annotation) if a is not type(None))
        return _plain(only)
    return annotation
