"""The package graphiti over FalkorDB as a memory system; nothing is imported here."""
