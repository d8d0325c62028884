"""BEAM: ten abilities over chats of 100 thousand to 10 million tokens, scored by rubric."""
