"""A GitHub small enough for a laptop.

`Hub` (in `state`) is what it remembers; `seed.apply` fills it; `start` serves it over
HTTP. It knows nothing of the programs that use it.
"""

from localhub.running import Running, start
from localhub.state import Hub

__all__ = ["Hub", "Running", "start"]
