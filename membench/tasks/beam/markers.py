"""Generator markers that were left in BEAM's messages, and taking them out.

The authors' generator ends a message it planned with `->-> <batch>,<bullet>`: 2,155 of the 2,866
user messages of the 100K tier still do (eight of them irregularly: `->-> 2,N/A`, `->-> 1,3)`), and
44 of the assistant. They tell which messages carry what is asked about.
"""

from __future__ import annotations

import re

ARROWS = "->->"
AT_END = re.compile(r"\s*->->[^\n]{0,40}\Z")
INSIDE = re.compile(r"->->(?:\s*\d+\s*,\s*(?:\d+|N/A)\)?)?")


def without_markers(text: str) -> tuple[str, int]:
    """A message without its markers, and how many there were.

    At the end everything from the marker on goes; elsewhere, which the 100K tier never has, the
    marker alone.
    """
    if ARROWS not in text:
        return text, 0
    text, ended = AT_END.subn("", text)
    text, inside = INSIDE.subn("", text)
    return text, ended + inside
