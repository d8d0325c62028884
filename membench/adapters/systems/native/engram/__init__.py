"""ENGRAM: a router, three kinds of memory per speaker, plain retrieval from each."""
