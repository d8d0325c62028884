"""Memory systems: one folder each, found without importing anything (`registry`)."""
