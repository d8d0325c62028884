"""The system without memory."""
