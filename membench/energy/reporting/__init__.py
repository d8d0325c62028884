"""Energy figures of a run for its summary, and the full report for its manifest."""
