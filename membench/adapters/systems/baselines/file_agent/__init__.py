"""An agent that searches files of the history with grep."""
