"""Lexical retrieval with BM25."""
