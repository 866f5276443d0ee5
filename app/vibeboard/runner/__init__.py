"""Where agents work: workspaces, processes, agent programs, test suites.

Importable without the server; a worker on another machine needs only this, the
domain and the ports it satisfies.
"""
