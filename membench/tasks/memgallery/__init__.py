"""Mem-Gallery: conversations with pictures, read here through their captions."""
