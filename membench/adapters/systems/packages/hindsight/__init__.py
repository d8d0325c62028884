"""The package hindsight as a memory system; nothing is imported here."""
