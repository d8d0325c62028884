"""Systems whose authors released weights that run inside a process."""
