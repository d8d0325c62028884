"""Which phase, role and question the joules of the samples belong to: pure functions."""
