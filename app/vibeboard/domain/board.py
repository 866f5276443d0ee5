"""Boards, columns and cards as people see them.

A card is an issue on a board. GitHub's own nouns (project, item, option) stay in
``github/``.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


@dataclass(frozen=True, order=True)
class CardKey:
    """Names a card for ever: the repository's full name and the issue's number."""

    repository: str
    number: int

    def __str__(self) -> str:
        return f"{self.repository}#{self.number}"

    @property
    def owner(self) -> str:
        """The login of the account that owns the repository."""
        return self.repository.partition("/")[0]

    @classmethod
    def parse(cls, text: str) -> "CardKey":
        """Read ``owner/name#7``; raises ValueError for anything else."""
        repository, _, number = text.rpartition("#")
        owner, _, name = repository.partition("/")
        if not owner or not name or "/" in name or not number.isdecimal():
            message = f"not a card: {text!r} (write owner/repository#number)"
            raise ValueError(message)
        return cls(repository, int(number))


@dataclass(frozen=True)
class BoardKey:
    """Names a board: the owner's login and the project's number."""

    owner: str
    number: int

    def __str__(self) -> str:
        return f"{self.owner}/{self.number}"


@dataclass(frozen=True)
class Place:
    """Where a card stands on a board; ``item`` is GitHub's id of that place."""

    board: BoardKey
    item: str
    column: str | None


class Permission(Enum):
    """Effective permission on a repository, weakest first."""

    NONE = 0
    READ = 1
    TRIAGE = 2
    WRITE = 3
    MAINTAIN = 4
    ADMIN = 5

    def covers(self, needed: "Permission") -> bool:
        """Whether this permission is at least ``needed``."""
        return self.value >= needed.value


@dataclass(frozen=True)
class Actor:
    """Who did something. ``is_bot`` is GitHub's word (account type ``Bot``)."""

    login: str
    is_bot: bool = False


@dataclass(frozen=True)
class Comment:
    """A comment on an issue or pull request, as it was when read."""

    id: int
    author: Actor
    body: str
    at: datetime


@dataclass(frozen=True)
class Wording:
    """What an issue says at some moment."""

    title: str
    body: str


@dataclass(frozen=True)
class Card:
    """An issue with what a run needs to know of it."""

    key: CardKey
    node_id: str
    title: str
    body: str
    url: str
    author: Actor
    is_open: bool
    labels: tuple[str, ...] = ()
    places: tuple[Place, ...] = field(default=())

    @property
    def wording(self) -> Wording:
        """What the issue says now."""
        return Wording(self.title, self.body)

    def place_on(self, board: BoardKey) -> Place | None:
        """Where the card stands on ``board``, if it is there."""
        return next((p for p in self.places if p.board == board), None)
