"""The package behind langgraph, without a language model; nothing is imported here."""
