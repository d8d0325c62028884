"""The package graphiti as a memory system; nothing is imported here."""
