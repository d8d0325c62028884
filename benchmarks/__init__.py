"""What measures membench itself: run as `python -m benchmarks.<name>`."""
