"""MemoryLLM: memory tokens inside every layer of a language model."""
