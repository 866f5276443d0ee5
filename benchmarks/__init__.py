"""Vibeboard against its peers and against the machine's limits, as ratios."""
