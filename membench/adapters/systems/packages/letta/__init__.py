"""The package letta as a memory system; nothing is imported here."""
