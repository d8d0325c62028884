"""MemGPT: an agent that keeps its own context with tools."""
