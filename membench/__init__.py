"""membench: how well a memory system remembers, and what that costs."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (a checkout on the path is imported by any Python)
    found = ".".join(map(str, sys.version_info[:3]))
    raise SystemExit(f"error: membench needs Python 3.11 or newer, this is {found}")

__version__ = "0.1.0"
