"""ReMe's experience pool."""
