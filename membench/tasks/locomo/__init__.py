"""LoCoMo: questions over ten long two-person conversations."""
