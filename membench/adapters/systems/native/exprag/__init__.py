"""ExpRAG."""
