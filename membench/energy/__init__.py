"""Joules with provenance: sources, sampler, ledger, carbon."""
