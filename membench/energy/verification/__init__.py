"""What must hold before a joule counts as verified: protocol, overhead, checks, repeats."""
