"""HEMA: a running summary beside vectors that slowly forget."""
