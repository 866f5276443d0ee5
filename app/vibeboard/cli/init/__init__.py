"""``vibeboard init``: what a repository needs to begin with, on a branch of its own."""
