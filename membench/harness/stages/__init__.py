"""The stages of a run, each over the records of the one before: play, read, judge, score."""
