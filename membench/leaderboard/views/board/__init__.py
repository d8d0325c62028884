"""The Leaderboard page as plain values: query, rows, ranks, limits."""
