"""Systems that wrap another one and decide what it is asked."""
