"""The reader that always refuses."""
