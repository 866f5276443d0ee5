"""What the engine tells whoever counts. It knows nothing of how that is shown."""

from typing import Protocol

from vibeboard.domain.run import Run


class Meter(Protocol):
    """Counts what happens."""

    async def agent_starts(self, run: Run) -> None:
        """The run's agent begins to work."""
        ...

    async def run_ended(self, run: Run) -> None:
        """A run has come to its end, wherever it was carried out."""
        ...

    async def performed(self, kind: str, *, failed: bool) -> None:
        """An effect was performed, or given up."""
        ...


class Unmetered:
    """Counts nothing. Satisfies ``Meter``."""

    async def agent_starts(self, run: Run) -> None:
        """Nobody counts."""

    async def run_ended(self, run: Run) -> None:
        """Nobody counts."""

    async def performed(self, kind: str, *, failed: bool) -> None:
        """Nobody counts."""
