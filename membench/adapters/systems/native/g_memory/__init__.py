"""G-Memory."""
