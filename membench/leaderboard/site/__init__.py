"""The board as static files, and the report of one run."""
