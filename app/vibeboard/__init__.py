"""Vibeboard turns a GitHub Projects board into a workflow for coding agents."""

__version__ = "0.1.0"
