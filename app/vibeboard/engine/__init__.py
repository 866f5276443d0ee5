"""Takes due work from the rows and carries it out through ports."""
