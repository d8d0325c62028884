"""What is submitted: the redacted part of a run directory, and its published schema."""
