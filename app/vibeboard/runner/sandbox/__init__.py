"""Where agents and suites live: a cell that holds what they start and what they see.

``cell.py`` opens cells, in the strongest kind there is: ``bubblewrap.py``, else
``confine.py`` (Landlock), else none.
"""
