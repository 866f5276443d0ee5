"""Vibeboard against its peers and against limits of the machine, as ratios."""
