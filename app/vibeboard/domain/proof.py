"""What a run proves of a commit: its suites' results beside its base's, and reviews.

A proof is short: it names what people look at. The whole results are kept apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vibeboard.domain.comparison import Change, Comparison
from vibeboard.domain.contract import Criterion
from vibeboard.domain.evidence import SuiteResult, Verdict, verdict_of
from vibeboard.domain.review import ReviewResult
from vibeboard.domain.weakening import Weakening
from vibeboard.domain.workflow import Suite

_MOST_NAMES = 20
# What nobody has to be told by name.
_QUIET = frozenset({Change.PASSING, Change.SKIPPED})


@dataclass(frozen=True)
class SlowCase:
    """One of the slowest cases, in seconds; ``delta`` is what it takes more now."""

    id: str
    seconds: float
    delta: float | None = None


@dataclass(frozen=True)
class Progress:
    """A comparison in short: how many of what, and the first of them by name.

    ``seconds`` is what the suite takes more than at the base.
    """

    suite: str
    based: bool
    counts: Mapping[Change, int] = field(default_factory=dict)
    names: Mapping[Change, tuple[str, ...]] = field(default_factory=dict)
    seconds: float | None = None
    slowest: tuple[SlowCase, ...] = ()
    covered_before: float | None = None

    def count(self, change: Change) -> int:
        """How many cases this became of."""
        return self.counts.get(change, 0)


@dataclass(frozen=True)
class Proof:
    """What the suites of a stage say of ``commit``; ``base`` is what they compare with.

    ``results`` are brief, in the order of the stage's suites; so is ``progress``.
    ``weakened`` says what was done to the tests themselves. ``reviews`` are what
    specialists say, who look once the suites are green; ``criteria`` are the issue's,
    where an agent has tied them to tests.
    """

    commit: str
    base: str
    results: tuple[SuiteResult, ...] = ()
    progress: tuple[Progress, ...] = ()
    weakened: tuple[Weakening, ...] = ()
    reviews: tuple[ReviewResult, ...] = ()
    criteria: tuple[Criterion, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        """The worst of the suites' verdicts; None if there are no suites."""
        return verdict_of(self.results)


def progress(comparison: Comparison, base: SuiteResult | None) -> Progress:
    """A comparison in short."""
    counts = {change: len(cases) for change, cases in comparison.changes.items()}
    names = {
        change: tuple(
            f"{one.was} → {one.id}" if one.was else one.id
            for one in cases[:_MOST_NAMES]
        )
        for change, cases in comparison.changes.items()
        if change not in _QUIET
    }
    slowest = tuple(
        SlowCase(slow.case.id, slow.case.seconds, slow.delta)
        for slow in comparison.slowest
    )
    return Progress(
        suite=comparison.suite,
        based=comparison.based,
        counts=counts,
        names=names,
        seconds=comparison.seconds,
        slowest=slowest,
        covered_before=base.covered if base else None,
    )


def shortfalls(
    suite: Suite, result: SuiteResult, base: SuiteResult | None
) -> Sequence[str]:
    """What a suite asks for besides its cases, and did not get."""
    if suite.coverage is None:
        return ()
    asks = suite.coverage_at_least is not None or suite.coverage_drop is not None
    percent = result.covered
    if percent is None:
        told = f"the command left no coverage report at `{suite.coverage}`"
        return (told,) if asks else ()
    found = []
    least = suite.coverage_at_least
    if least is not None and percent < least:
        found.append(f"{percent:.1f} % of the lines are covered, and {least:g} % must")
    before = base.covered if base else None
    drop = suite.coverage_drop
    if drop is not None and before is not None and percent < before - drop:
        found.append(
            f"{percent:.1f} % of the lines are covered, and {before:.1f} % were at the "
            "base"
        )
    return found
