"""Mem-T: a trained agent with typed memories, which it writes and searches with tools."""
