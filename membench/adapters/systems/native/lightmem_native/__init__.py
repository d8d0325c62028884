"""LightMem: few calls: buffer, cut topics, extract once, repair in sleep time."""
