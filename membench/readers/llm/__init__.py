"""The reader that is a model."""
