"""GitHub's REST API: one module a noun, each with its table of routes and needs."""
