"""Accepted bundles, the rows they become, and how rows are ranked."""
