"""NLTK's Porter stemmer without the rest of NLTK.

Importing `nltk` runs the imports of its whole tree (scikit-learn, pandas and SciPy among them,
where installed): about two seconds in every process that stems a word. `nltk.stem.porter` itself
needs none of that, so it is loaded under empty stand-ins for its two parent packages.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """The Porter stem of a word (NLTK's default mode, lower-cased)."""
    return _porter()(word)


@cache
def _porter() -> Callable[[str], str]:
    with _stand_ins():
        module = importlib.import_module("nltk.stem.porter")
    stemmer: Callable[[str], str] = module.PorterStemmer().stem
    return stemmer


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Empty `nltk` and `nltk.stem` packages for the time of one import, unless NLTK is loaded."""
    if "nltk" in sys.modules:
        yield
        return
    spec = importlib.util.find_spec("nltk")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("nltk is not installed", name="nltk")
    root = Path(spec.origin).parent
    for name, folder in (("nltk", root), ("nltk.stem", root / "stem")):
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "nltk"]:
            del sys.modules[name]
