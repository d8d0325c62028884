"""The package qdrant as a memory system; nothing is imported here."""
