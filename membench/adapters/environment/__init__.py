"""Environments of third-party systems, and the worker that runs a system in one."""
