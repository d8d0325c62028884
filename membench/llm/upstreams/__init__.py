"""Where model calls go: providers, servers, and models hosted in this process."""
