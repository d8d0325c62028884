"""Names of boards: by task first, and no two alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from membench.leaderboard.rendering.html import escaped
from membench.leaderboard.store.rows import task_class
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.board.query import BoardQuery
from membench.leaderboard.views.board.rows import FLAG_OF, SUBSET


@dataclass(frozen=True)
class BoardName:
    """A board for people.

    Attributes:
        slug: Name of its files.
        task: Benchmark and split.
        rest: Division, and what tells it from other boards of that division.
        part: Whether its rows are all of a part of the questions.
    """

    slug: str
    task: str
    rest: str
    part: bool = False

    @property
    def title(self) -> str:
        """The whole name."""
        return f"{self.task}, {self.rest}"


def slug(choice: BoardQuery) -> str:
    """File name of a board."""
    return f"{choice.task.replace(':', '-')}-{choice.division}-{choice.group}"


def board_names(boards: Sequence[Board]) -> dict[str, BoardName]:
    """Slug -> name of every board, in their order."""
    alike: dict[tuple[str, str, bool], list[Board]] = {}
    for shown in boards:
        key = (shown.choice.task, shown.choice.division, is_part(shown))
        alike.setdefault(key, []).append(shown)
    named = [
        board_name(shown, words)
        for same in alike.values()
        for shown, words in zip(same, told_apart(same), strict=True)
    ]
    names = {name.slug: name for name in named}
    return {slug(shown.choice): names[slug(shown.choice)] for shown in boards}


def board_name(shown: Board, apart: str) -> BoardName:
    """The name of a board."""
    task, _, split = shown.choice.task.partition(":")
    rest = ", ".join([shown.choice.division, *([apart] if apart else [])])
    name = f"{task_class(task).card.title} ({split})"
    return BoardName(slug(shown.choice), name, rest, is_part(shown))


def told_apart(same: Sequence[Board]) -> list[str]:
    """What tells boards of one task and division apart; empty for a board alone.

    They are all of every question, or all of a part, and then their size is always told.
    """
    told = [own_parts(shown, same) for shown in same]
    further: Sequence[Callable[[Board], str]] = (size_of, first_day, own_key)
    if is_part(same[0]):
        told, further = joined(told, map(size_of, same)), further[1:]
    for part in further:
        if len(set(told)) == len(same):
            break
        parts = [part(shown) for shown in same]
        told = joined(told, parts) if len(set(parts)) > 1 else told
    return told


def joined(told: Iterable[str], parts: Iterable[str]) -> list[str]:
    """Names with a further part."""
    return [", ".join(filter(None, pair)) for pair in zip(told, parts, strict=True)]


def own_parts(shown: Board, same: Sequence[Board]) -> str:
    """Parts of a board's protocol that not all of the others have."""
    parts = [other.groups[other.choice.group].split(", ") for other in same]
    common = set.intersection(*map(set, parts))
    mine = shown.groups[shown.choice.group].split(", ")
    return ", ".join(part for part in mine if part not in common)


def size_of(shown: Board) -> str:
    """How many questions its rows were asked."""
    most = max((row.questions for row in shown.all_rows), default=0)
    return f"{most:,} questions"


def is_part(shown: Board) -> bool:
    """Whether every row leaves out questions; such rows are never ranked."""
    return bool(shown.all_rows) and all(FLAG_OF[SUBSET] in row.flags for row in shown.all_rows)


def first_day(shown: Board) -> str:
    """When its first row was made."""
    return f"since {min((row.created for row in shown.all_rows), default='–')}"


def own_key(shown: Board) -> str:
    """The beginning of the hash that its rows compare by."""
    return shown.choice.group[:6]


def chips(names: Mapping[str, BoardName], here: str, up: str) -> str:
    """Ways to boards, by task.

    Args:
        names: The boards.
        here: Slug of the board of this page; empty for none.
        up: From the page to the folder of the site.
    """
    tasks: dict[str, list[BoardName]] = {}
    for name in names.values():
        tasks.setdefault(name.task, []).append(name)
    items = "".join(
        f"<li>{escaped(task)}: {' '.join(task_chips(mine, here, up))}</li>"
        for task, mine in tasks.items()
    )
    return f'<ul class="boards" aria-label="Boards">{items}</ul>'


def task_chips(names: Sequence[BoardName], here: str, up: str) -> Iterator[str]:
    """The boards of a task: those of all its questions, then those of a part."""
    yield from (chip(name, here, up) for name in names if not name.part)
    parts = [chip(name, here, up) for name in names if name.part]
    if parts:
        yield from ("a part of the questions:", *parts)


def chip(name: BoardName, here: str, up: str) -> str:
    """A board: a link, or where one is."""
    words = escaped(name.rest)
    if name.slug == here:
        return f"<strong>{words}</strong>"
    return f'<a href="{up}boards/{escaped(name.slug)}.html">{words}</a>'
