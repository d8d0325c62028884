"""A benchmark made by a seeded generator: no contamination, exact gold, any size."""
