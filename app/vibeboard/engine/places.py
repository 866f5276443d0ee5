"""Where runs keep their files on this machine."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from vibeboard.domain.run import Run


@dataclass(frozen=True)
class Places:
    """Where runs keep their files."""

    root: Path

    def identity(self) -> str:
        """What this directory is called: the same for all processes that share it."""
        path = self.root / "place"
        if not path.exists():
            self.root.mkdir(parents=True, exist_ok=True)
            own = self.root / f"place.{uuid4().hex}"
            own.write_text(own.suffix.removeprefix("."))
            with suppress(FileExistsError):
                path.hardlink_to(own)  # whole or not at all, and the first one stays
            own.unlink()
        return path.read_text()

    def log(self, run: Run, name: str) -> Path:
        """The raw output of a part of a run."""
        return self.root / "runs" / run.id / f"{name}-{run.attempt}.log"

    def home(self, run: Run) -> Path:
        """The agent's home: one a card, so that a session can be resumed."""
        card = run.card
        return self.root / "homes" / card.repository / str(card.number)
