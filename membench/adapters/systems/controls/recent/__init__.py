"""The system that recalls what was said last."""
