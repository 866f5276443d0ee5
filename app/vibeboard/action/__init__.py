"""A run as a job of GitHub Actions: what the composite Action starts."""
