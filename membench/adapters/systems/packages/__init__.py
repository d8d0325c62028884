"""Published packages, each in an environment of its own."""
