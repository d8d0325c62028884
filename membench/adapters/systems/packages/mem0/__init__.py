"""The package mem0 as a memory system; nothing is imported here."""
