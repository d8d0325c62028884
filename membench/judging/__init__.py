"""Asking a judge for verdicts, and how good that judge is."""
