"""A GitHub small enough for a laptop."""
