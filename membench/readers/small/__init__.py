"""The reader for small models: a few examples as chat turns, plain dates, short answers."""
