"""Agent programs: one adapter a kind, and the registry that chooses."""
