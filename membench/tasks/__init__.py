"""Benchmarks: one folder each, behind the `Task` contract of `base.py`."""
