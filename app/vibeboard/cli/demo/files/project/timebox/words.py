"""Turns seconds into words."""


def in_words(seconds: int) -> str:
    """``75`` is ``1m 15s``."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"
