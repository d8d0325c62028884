"""Floors and ceilings: what any system should lie between."""
