"""The system that is granted the evidence."""
