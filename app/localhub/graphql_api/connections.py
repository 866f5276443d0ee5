"""Lists in pages, as GitHub's connections give them."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from localhub.graphql_api.call import Problem

_PREFIX = "cursor:v2:"


def _cursor(key: str) -> str:
    return base64.b64encode(f"{_PREFIX}{key}".encode()).decode()


def _position(keys: list[str], cursor: str) -> int:
    try:
        key = base64.b64decode(cursor, validate=True).decode().removeprefix(_PREFIX)
        return keys.index(key)
    except (binascii.Error, ValueError):
        message = f"`{cursor}` does not appear to be a valid cursor."
        raise Problem("INVALID_CURSOR_ARGUMENTS", message) from None


def connection(
    everything: Sequence[Any],
    *,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
    **_order: Any,
) -> dict[str, Any]:
    """Cut a page out of a list; a cursor names an element, so it survives inserts."""
    keys = [str(getattr(one, "node_id", at)) for at, one in enumerate(everything)]
    start = _position(keys, after) + 1 if after else 0
    stop = _position(keys, before) if before else len(keys)
    if first is not None:
        stop = min(stop, start + first)
    if last is not None:
        start = max(start, stop - last)
    shown = list(everything[start:stop])
    cursors = [_cursor(key) for key in keys[start:stop]]
    return {
        "totalCount": len(keys),
        "nodes": shown,
        "edges": [
            {"cursor": cursor, "node": node}
            for cursor, node in zip(cursors, shown, strict=True)
        ],
        "pageInfo": {
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
            "hasNextPage": stop < len(keys),
            "hasPreviousPage": start > 0,
        },
    }
