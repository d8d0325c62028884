"""What a run leaves on disk, and the types it is read into."""
