"""The package txtai as a memory system; nothing is imported here."""
