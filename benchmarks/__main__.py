"""``python -m benchmarks NAME``: one benchmark, its table, and its ratios."""

import sys
from collections.abc import Callable, Mapping, Sequence

from benchmarks import (
    action,
    calls,
    history,
    intake,
    logs,
    reports,
    sandbox,
    start,
    workspace,
)
from benchmarks.table import say

BENCHMARKS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "intake": intake.main,
    "start": start.main,
    "action": action.main,
    "workspace": workspace.main,
    "sandbox": sandbox.main,
    "logs": logs.main,
    "history": history.main,
    "calls": calls.main,
    "reports": reports.main,
}


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark that is named; without a name, all of them."""
    name, *rest = arguments or [""]
    if name in BENCHMARKS:
        return BENCHMARKS[name](rest)
    if name:
        sys.stderr.write(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}\n")
        return 2
    worst = 0
    for each, benchmark in BENCHMARKS.items():
        say(f"# {each}")
        worst = max(worst, benchmark([]))
        say()
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
