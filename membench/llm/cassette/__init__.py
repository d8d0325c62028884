"""Recorded model calls: stored by canonical request, replayed instead of called."""
