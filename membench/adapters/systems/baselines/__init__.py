"""Plain retrieval, without a model of language."""
