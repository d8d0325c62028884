"""Engines play cases in lane processes: on this machine (`local`) or on a Ray cluster (`ray`)."""
