"""What a verdict of HaluMem's judge says, under our keys or the official ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from membench.domain.labels import JsonView


def whole(*keys: str) -> Callable[[JsonView], int | None]:
    """Reads a score of 0, 1 or 2 under the first key there is."""

    def read(values: JsonView) -> int | None:
        found = next((values[key] for key in keys if key in values), None)
        if isinstance(found, float) and found.is_integer():
            found = int(found)
        if isinstance(found, bool) or str(found) not in ("0", "1", "2"):
            return None
        return int(str(found))

    return read


def labelled(labels: Sequence[str]) -> Callable[[JsonView], str | None]:
    """Reads a label under our own key, or under the official one in the official spelling.

    The official scorer compares `evaluation_result` with `Correct` and the like as they are.
    """

    def read(values: JsonView) -> str | None:
        if "label" in values:
            found = str(values["label"]).strip().lower()
            return found if found in labels else None
        spelled = {label.capitalize(): label for label in labels}
        return spelled.get(str(values.get("evaluation_result")).strip())

    return read
