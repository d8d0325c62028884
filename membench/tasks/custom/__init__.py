"""Own questions about own conversations, from a file: no Python, no published benchmark."""
