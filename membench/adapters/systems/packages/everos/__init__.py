"""The package everos as a memory system; nothing is imported here."""
