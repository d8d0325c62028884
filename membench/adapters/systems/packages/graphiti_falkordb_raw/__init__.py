"""The package graphiti over FalkorDB, without a language model; nothing is imported here."""
