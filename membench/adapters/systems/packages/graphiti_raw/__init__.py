"""The package behind graphiti, without a language model; nothing is imported here."""
