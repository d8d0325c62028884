"""The package llama_index as a memory system; nothing is imported here."""
