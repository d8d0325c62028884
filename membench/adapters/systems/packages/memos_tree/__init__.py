"""The package MemoryOS of MemTensor as a memory system; nothing is imported here."""
