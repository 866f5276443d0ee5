"""Effects as their kind and JSON values, and back."""

from typing import Any, get_args

from pydantic import TypeAdapter

from vibeboard.domain.effects import Effect

_EFFECTS: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind) for kind in get_args(Effect)
}


def dump_effect(effect: Effect) -> tuple[str, Any]:
    """An effect as its kind and JSON values."""
    kind = type(effect).__name__
    return kind, _EFFECTS[kind].dump_python(effect, mode="json")


def load_effect(kind: str, value: Any) -> Effect:
    """An effect from its kind and JSON values."""
    loaded: Effect = _EFFECTS[kind].validate_python(value)
    return loaded
