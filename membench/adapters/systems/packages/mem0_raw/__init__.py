"""The package behind mem0, without a language model; nothing is imported here."""
