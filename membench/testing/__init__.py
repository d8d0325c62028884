"""For us and for adapter authors: conformance, a scripted model server, faults."""
