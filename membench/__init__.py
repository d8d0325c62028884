"""membench: how well a memory system remembers, and what that costs."""

__version__ = "0.1.0"
