"""The JSON Schema of `.vibe.yml`, for editors and for whoever writes one by program."""

from typing import Any

from vibeboard.config.models import VibeYml

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:vibeboard:vibe-yml:1"


def json_schema() -> dict[str, Any]:
    """The schema; what this version does not carry out yet is in it, too."""
    schema = VibeYml.model_json_schema()
    return {"$schema": DIALECT, "$id": ID, **_tidy(schema), "title": ".vibe.yml"}


def _tidy(part: Any) -> Any:
    """Descriptions in one piece, no titles made of names, only names of a pattern."""
    if isinstance(part, list):
        return [_tidy(each) for each in part]
    if not isinstance(part, dict):
        return part
    tidied = {key: _tidy(each) for key, each in part.items()}
    if isinstance(tidied.get("title"), str):
        del tidied["title"]
    if isinstance(tidied.get("description"), str):
        tidied["description"] = _flowing(tidied["description"])
    if "patternProperties" in tidied:
        tidied["additionalProperties"] = False
    return tidied


def _flowing(text: str) -> str:
    """Paragraphs without the line breaks of our source."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
