"""Several runs or none: comparison, suites, estimates, predictions made elsewhere."""
