"""The command ``vibeboard``: one module a command."""
