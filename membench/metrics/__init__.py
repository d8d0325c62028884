"""Text, retrieval and task metrics, and statistics: pure functions."""
