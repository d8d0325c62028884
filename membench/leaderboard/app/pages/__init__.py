"""One module per page; each has a `page()` that draws it."""

from __future__ import annotations

import pkgutil
from importlib import import_module


def load_pages() -> None:
    """Import every page, so that the first reader does not wait for it."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
