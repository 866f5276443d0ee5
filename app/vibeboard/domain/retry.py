"""Whether something is tried again, and when."""

from datetime import timedelta

# With the waits below, a little over an hour and a half of GitHub's being away.
MOST_TRIES = 12
# A process that died over the same thing as often is not given it again.
MOST_CRASHES = 3
# An agent is stopped at once, and its work is saved; who takes longer than that on
# another machine is not answering.
STOPS_WITHIN = timedelta(minutes=2)
_FIRST = timedelta(seconds=1)
_LONGEST = timedelta(minutes=30)


def wait_before(tries: int, asked: timedelta = timedelta(0)) -> timedelta:
    """How long to wait after ``tries`` failures, at least as long as was ``asked``."""
    grown = _FIRST * float(2 ** min(tries, 20))
    return max(min(grown, _LONGEST), asked)
