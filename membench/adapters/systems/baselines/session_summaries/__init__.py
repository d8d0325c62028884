"""One summary per session."""
