"""The GraphQL documents in ``queries/``, one named operation a file.

Shared fragments are files too, and are put behind the documents that use them.
"""

from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Document:
    """A GraphQL operation; ``name`` is also what its calls are counted under."""

    name: str
    text: str

    @property
    def writes(self) -> bool:
        """Whether sending it twice may do something twice."""
        return self.text.lstrip().startswith("mutation")


def load(name: str, *fragments: str) -> Document:
    """The document of file ``name`` with the fragments it uses."""
    folder = files("vibeboard.github") / "queries"
    parts = [(folder / f"{part}.graphql").read_text() for part in (name, *fragments)]
    return Document(name, "\n".join(parts))
