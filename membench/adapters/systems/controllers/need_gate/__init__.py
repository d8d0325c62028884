"""A gate that asks whether a question needs memory at all."""
