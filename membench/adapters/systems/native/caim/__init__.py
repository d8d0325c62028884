"""CAIM: thoughts under tags and days, without embeddings."""
