"""Evo-Memory's streams: tables of existing benchmarks, asked one after the other with feedback."""
