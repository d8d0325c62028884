"""The memory systems, by kind; `adapters.registry` finds them."""
