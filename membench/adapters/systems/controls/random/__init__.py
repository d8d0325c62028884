"""The system that recalls at random."""
