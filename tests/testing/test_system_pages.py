"""The page of a package is made of its card, its conformance and its stored profile."""

import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
DIFFERING = (
    "import make_systems; "
    "print(*[path.name for path, text in make_systems.pages().items()"
    " if not path.exists() or path.read_text() != text])"
)
LEFT = (
    "import make_systems; "
    "print(*[path.name for path in make_systems.FOLDER.glob('*.md')"
    " if path not in make_systems.pages()])"
)


def said(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=DOCS, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_every_page_is_as_its_sources_say() -> None:
    assert said(DIFFERING) == "", "write them anew: python docs/make_systems.py"


@pytest.mark.slow
def test_no_page_is_left_of_a_system_that_is_gone() -> None:
    assert said(LEFT) == ""
