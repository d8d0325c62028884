"""Think-in-Memory: thoughts in buckets, tidied bucket by bucket."""
