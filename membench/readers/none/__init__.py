"""No reader: what was recalled is scored, answers are not."""
