"""`.vibe.yml` as a workflow, or all its faults. The only door into this package."""

from vibeboard.config import not_yet, shape
from vibeboard.config.document import read
from vibeboard.config.meaning import Reader
from vibeboard.domain.workflow import FILE, Workflow
from vibeboard.errors import ConfigInvalid, Fault


def load(text: str, *, path: str = FILE, commit: str = "", owner: str) -> Workflow:
    """Read a file of ``owner``'s repository; raises ConfigInvalid with all faults.

    Faults of YAML itself come alone, and contradictions only once the shape is
    right: before that they would be guesses. At most 100 are told.
    """
    document = read(text, path)
    faults = [*not_yet.refused(document)]
    model, misshapen = shape.check(document)
    faults += misshapen
    if model is None:
        raise ConfigInvalid(_in_order(faults))
    reader = Reader(document, model)
    workflow = reader.workflow(owner=owner, commit=commit)
    faults += reader.faults
    if faults:
        raise ConfigInvalid(_in_order(faults))
    return workflow


def _in_order(faults: list[Fault]) -> tuple[Fault, ...]:
    once = dict.fromkeys(faults)
    in_order = sorted(once, key=lambda fault: (fault.line, fault.column))
    return tuple(in_order[: shape.MOST_FAULTS])
