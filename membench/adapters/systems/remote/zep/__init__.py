"""Zep's hosted service as a memory system; nothing is imported here."""
