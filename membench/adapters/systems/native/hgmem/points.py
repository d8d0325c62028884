"""The working memory of one question: points, and how replies of the model change them."""

from __future__ import annotations

from dataclasses import dataclass, field

from membench.adapters.systems.native.hgmem.forms import Joined, PointEdit


@dataclass
class Point:
    """A hyperedge: what joins some entities, and the chunks it rests on (ids, in order)."""

    text: str
    entities: set[str] = field(default_factory=set)
    chunks: dict[str, None] = field(default_factory=dict)


@dataclass
class Work:
    """The working memory of one question.

    Attributes:
        points: As they are now.
        searches: What is looked for next.
        within: Ids of the chunks that are looked at; None for all.
    """

    points: list[Point]
    searches: list[str]
    within: set[str] | None = None

    def listing(self) -> str:
        """Points by number."""
        lines = (f"{n}. {p.text} ({', '.join(sorted(p.entities))})" for n, p in self.numbered())
        return "\n".join(lines) or "(none)"

    def numbered(self) -> list[tuple[int, Point]]:
        """Points with their numbers."""
        return list(enumerate(self.points))

    def change(self, edits: list[PointEdit], chunks: list[str]) -> int:
        """Add and rewrite points.

        Args:
            edits: What the model said.
            chunks: Ids of the chunks it was shown, by number.

        Returns:
            How many numbers of points and chunks there are not.
        """
        unknown = 0
        for edit in edits:
            known = [n for n in edit.chunks if 0 <= n < len(chunks)]
            unknown += len(edit.chunks) - len(known)
            if not -1 <= edit.point < len(self.points):
                unknown += 1
                continue
            point = self.points[edit.point] if edit.point >= 0 else Point("")
            point.text = edit.text
            point.entities |= {name.strip().lower() for name in edit.entities}
            point.chunks |= dict.fromkeys(chunks[n] for n in known)
            if edit.point < 0 and edit.text.strip():
                self.points.append(point)
        return unknown

    def join(self, merges: list[Joined]) -> int:
        """Make one point of several; the first one keeps its place.

        Returns:
            How many numbers of points there are not.
        """
        unknown, gone = 0, set()
        for merge in merges:
            numbers = [n for n in dict.fromkeys(merge.numbers) if 0 <= n < len(self.points)]
            unknown += sum(not 0 <= n < len(self.points) for n in merge.numbers)
            numbers = [n for n in numbers if n not in gone]
            for n in numbers[1:]:
                self.points[numbers[0]].entities |= self.points[n].entities
                self.points[numbers[0]].chunks |= self.points[n].chunks
                gone.add(n)
            if len(numbers) > 1:
                self.points[numbers[0]].text = merge.text
        self.points = [point for n, point in self.numbered() if n not in gone]
        return unknown
