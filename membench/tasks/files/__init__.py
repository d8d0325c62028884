"""Reading benchmark files: sources, streamed arrays, JSON lines, checked nodes."""
