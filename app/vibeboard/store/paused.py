"""Whether a pause keeps a run from starting."""

from sqlalchemy import ColumnElement, String, cast, exists, func, or_

from vibeboard.engine.ports import EVERYWHERE
from vibeboard.store import schema

_PAUSE = schema.pause.c
_RUN = schema.run.c


def paused() -> ColumnElement[bool]:
    """Whether a run's card lies in a paused scope."""
    repository = func.lower(_RUN.repository)
    prefix = _PAUSE.scope + "/"
    return exists().where(
        or_(
            _PAUSE.scope == EVERYWHERE,
            _PAUSE.scope == repository,
            _PAUSE.scope == repository + "#" + cast(_RUN.number, String),
            func.substr(repository, 1, func.length(prefix)) == prefix,
        )
    )
