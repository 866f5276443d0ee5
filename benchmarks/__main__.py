"""``python -m benchmarks NAME``: one benchmark, its table, and its ratios."""

import sys
from collections.abc import Callable, Mapping, Sequence

from benchmarks import intake

BENCHMARKS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "intake": intake.main,
}


def main() -> int:
    """Run the benchmark that is named; without a name, all of them."""
    name, *rest = sys.argv[1:] or [""]
    if name and name not in BENCHMARKS:
        sys.stderr.write(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}\n")
        return 2
    chosen = [BENCHMARKS[name]] if name else list(BENCHMARKS.values())
    return max(run(rest) for run in chosen)


if __name__ == "__main__":
    sys.exit(main())
