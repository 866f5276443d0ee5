"""Carries decisions out through ports; the only user of the durable engine."""
