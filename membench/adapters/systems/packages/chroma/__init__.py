"""The package chroma as a memory system; nothing is imported here."""
