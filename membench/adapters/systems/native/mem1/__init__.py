"""MEM1: one internal state of bounded size, rewritten at every step."""
