"""The package langmem as a memory system; nothing is imported here."""
