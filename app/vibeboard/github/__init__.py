"""GitHub as the engine sees it: deliveries in, ports out.

The only package that imports gidgethub, and the only one that speaks of
installations, items and options. Start at ``app.py``.
"""
