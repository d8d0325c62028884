"""My Task: say in one line what it measures."""
