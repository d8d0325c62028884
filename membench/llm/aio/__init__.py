"""Running asyncio code from synchronous code, with a bound on what is in flight."""
