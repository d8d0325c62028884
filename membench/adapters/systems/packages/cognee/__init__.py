"""The package cognee as a memory system; nothing is imported here."""
