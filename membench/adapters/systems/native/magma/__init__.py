"""MAGMA: events under four kinds of edges, and a search that follows what a question asks for."""
