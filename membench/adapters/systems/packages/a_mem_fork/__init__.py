"""The package a-mem as a memory system; nothing is imported here."""
