"""ConvoMem: facts, changes, preferences and gaps over 2 to 300 conversations."""
