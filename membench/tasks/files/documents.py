"""A file that is one JSON document, read whole."""

from __future__ import annotations

from pathlib import Path

import orjson

from membench.tasks.files.node import Node
from membench.tasks.files.source import not_json, open_json, reading


def whole_json(path: Path) -> Node:
    """The content of a JSON file, as a node at its root.

    Raises:
        DataError: It cannot be read or is not JSON.
    """
    with reading(path), open_json(path) as file:
        raw = file.read()
    try:
        return Node(orjson.loads(raw), path, "")
    except orjson.JSONDecodeError as error:
        raise not_json(path, raw, str(error)) from None
