"""SteeM: how much an answer is to lean on memory, from 1 to 5."""
