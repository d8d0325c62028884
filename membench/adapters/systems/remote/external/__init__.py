"""Predictions made elsewhere, as a row of their own."""
