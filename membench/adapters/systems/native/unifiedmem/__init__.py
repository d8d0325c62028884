"""UnifiedMem's flat baselines: sessions found by what a model says of them."""
