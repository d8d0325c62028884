"""The system that recalls everything."""
