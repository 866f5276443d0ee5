"""The loop breaker: a card that keeps starting runs by itself waits for a person.

A run that no person asked for counts on from the newest run of its card (``chain``)
and names the run that led to it (``parent``); one that a person asked for begins
again at 0. So the runs alone say whether the breaker is open, and no clock does: it
opens by runs, an open breaker lets none start, and thus it stays open until a person
asks for one.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from vibeboard.domain.run import Run
from vibeboard.domain.situation import Situation

# A card that goes on for hours without a person is in a loop, too.
LONGEST_CHAIN = 12
# An agent that works takes minutes. Six runs in ten are something that answers itself.
MOST_AT_ONCE = 6
WINDOW = timedelta(minutes=10)


@dataclass(frozen=True)
class Trail:
    """A card's runs since a person last asked for one, that person's own first.

    ``stages`` is how many stages there are: going through each of them once is no
    loop, however many they are and however quick.
    """

    runs: tuple[Run, ...] = ()
    stages: int = 0

    @property
    def automatic(self) -> tuple[Run, ...]:
        """Those that no person asked for."""
        return tuple(run for run in self.runs if run.chain)

    @property
    def chain(self) -> int:
        """What the next run that no person asks for has for its ``chain``."""
        return self.runs[-1].chain + 1 if self.runs else 1

    @property
    def parent(self) -> str:
        """The newest run's id; empty if there is none."""
        return self.runs[-1].id if self.runs else ""

    @property
    def is_open(self) -> bool:
        """Whether nothing may start here before a person asks for it."""
        return self.chain >= max(LONGEST_CHAIN, self.stages) or self._in_a_rush()

    def _in_a_rush(self) -> bool:
        most = max(MOST_AT_ONCE, self.stages)
        last = self.automatic[-most:]
        return len(last) == most and last[-1].created_at - last[0].created_at <= WINDOW

    @property
    def topic(self) -> str:
        """What is said about this trail is said once."""
        return f"loop-{self.runs[0].id}" if self.runs else "loop"

    @property
    def span(self) -> timedelta:
        """From the first of the automatic runs to the newest."""
        started = [run.created_at for run in self.automatic]
        return started[-1] - started[0] if started else timedelta(0)

    @property
    def times(self) -> Mapping[str, int]:
        """How often each stage ran without a person, in order of its first time."""
        return Counter(run.stage for run in self.automatic)


def trail(situation: Situation) -> Trail:
    """The trail of the situation's card."""
    runs = situation.history.runs
    asked = [index for index, run in enumerate(runs) if not run.chain]
    stages = len(situation.workflow.stages) if situation.workflow else 0
    return Trail(runs[asked[-1] :] if asked else runs, stages)
