"""Structural memory: five structures crossed with three ways to retrieve."""
