"""A generated stream of tasks whose rules are learned from feedback."""
