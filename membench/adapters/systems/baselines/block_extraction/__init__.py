"""A model reads the whole history in blocks for every question."""
