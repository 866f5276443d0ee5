"""Finds the folders that ship with the product, in a wheel or in a checkout."""

from pathlib import Path

from vibeboard.errors import Broken

_PACKAGE = Path(__file__).parent
_CHECKOUT = _PACKAGE.parent.parent


def shipped(name: str) -> Path:
    """The folder ``name`` (migrations, demo); raises Broken if it is missing."""
    for place in (_PACKAGE / "_shipped" / name, _CHECKOUT / name):
        if place.is_dir():
            return place
    message = f"this installation lacks its {name} folder; install it again"
    raise Broken(message)
