"""ReMem."""
