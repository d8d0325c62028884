"""The system under test reads for itself."""
