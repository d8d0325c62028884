"""Any agent that remembers by itself, met as a chat partner."""
