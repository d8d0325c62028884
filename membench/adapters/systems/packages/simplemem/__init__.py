"""The package simplemem as a memory system; nothing is imported here."""
