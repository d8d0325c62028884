"""The package lancedb as a memory system; nothing is imported here."""
