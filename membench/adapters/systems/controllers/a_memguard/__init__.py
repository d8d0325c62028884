"""A-MemGuard: what leads elsewhere than the rest is dropped, and remembered as a lesson."""
