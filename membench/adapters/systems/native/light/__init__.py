"""LIGHT: an index of past pairs, the recent dialogue, and notes filtered per question."""
