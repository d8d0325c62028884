"""Mem-alpha: a model trained to write memory with tools while it reads."""
