"""AtomMem: a model that reads with the question in view, and edits a small vector memory."""
