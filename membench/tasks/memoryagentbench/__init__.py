"""MemoryAgentBench: one long text is stored piece by piece, then asked about many times."""
