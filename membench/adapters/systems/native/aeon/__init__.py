"""Aeon: what was found, with what stood beside it in the trace."""
