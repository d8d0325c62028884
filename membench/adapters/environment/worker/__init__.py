"""The far side of a system that lives in an environment of its own.

The lane (`adapters.environment.worker_client`) starts `bootstrap` with the environment's Python. It
forks: the parent becomes the **supervisor**, which outlives everything the system starts and ends
all of it; the child becomes the **worker**, which imports the adapter and answers calls, one JSON
line each way, on a private socket. Adapters see `domain.labels`, `case`, `system` and `answer`, and
this package, all standard library only, and their own folder.

What adapters may use: `changes`, `clock`, `models`, `postgres`, `texts`, `turn_store`.
"""
