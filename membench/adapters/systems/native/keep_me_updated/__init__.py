"""Keep Me Updated: sentences that new ones make stale or redundant leave the memory."""
