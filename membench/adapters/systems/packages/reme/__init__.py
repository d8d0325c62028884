"""The package reme-ai as a memory system; nothing is imported here."""
