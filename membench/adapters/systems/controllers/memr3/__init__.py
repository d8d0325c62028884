"""MemR3: asks a memory system again for what is still missing."""
