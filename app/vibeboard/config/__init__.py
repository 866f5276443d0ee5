"""`.vibe.yml`: its shape, its faults with their places, and what it means."""
