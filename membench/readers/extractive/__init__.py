"""The reader that needs no model: it selects text from what was recalled."""
