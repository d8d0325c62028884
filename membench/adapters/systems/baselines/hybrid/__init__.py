"""Lexical and dense retrieval, fused."""
