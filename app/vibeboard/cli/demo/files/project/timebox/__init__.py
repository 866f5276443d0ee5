"""Durations in words."""

from timebox.words import in_words

__all__ = ["in_words"]
