"""The working memory of one question: hyperedges, and how replies of the model change them."""

from __future__ import annotations

from dataclasses import dataclass, field

from membench.adapters.systems.native.hgmem.forms import HyperedgeEdit, Joined


@dataclass
class Hyperedge:
    """What joins some entities, called a point in prompts, and the chunks it rests on (ids)."""

    text: str
    entities: set[str] = field(default_factory=set)
    chunks: dict[str, None] = field(default_factory=dict)


@dataclass
class WorkingMemory:
    """The working memory of one question.

    Attributes:
        hyperedges: As they are now.
        searches: What is looked for next.
        within: Ids of the chunks that are looked at; None for all.
    """

    hyperedges: list[Hyperedge]
    searches: list[str]
    within: set[str] | None = None

    def listing(self) -> str:
        """Hyperedges by number."""
        lines = (f"{n}. {e.text} ({', '.join(sorted(e.entities))})" for n, e in self.numbered())
        return "\n".join(lines) or "(none)"

    def numbered(self) -> list[tuple[int, Hyperedge]]:
        """Hyperedges with their numbers."""
        return list(enumerate(self.hyperedges))

    def change(self, edits: list[HyperedgeEdit], chunks: list[str]) -> int:
        """Add and rewrite hyperedges.

        Args:
            edits: What the model said.
            chunks: Ids of the chunks it was shown, by number.

        Returns:
            How many numbers of hyperedges and chunks there are not.
        """
        unknown = 0
        for edit in edits:
            known = [n for n in edit.chunks if 0 <= n < len(chunks)]
            unknown += len(edit.chunks) - len(known)
            if not -1 <= edit.point < len(self.hyperedges):
                unknown += 1
                continue
            edge = self.hyperedges[edit.point] if edit.point >= 0 else Hyperedge("")
            edge.text = edit.text
            edge.entities |= {name.strip().lower() for name in edit.entities}
            edge.chunks |= dict.fromkeys(chunks[n] for n in known)
            if edit.point < 0 and edit.text.strip():
                self.hyperedges.append(edge)
        return unknown

    def join(self, merges: list[Joined]) -> int:
        """Make one hyperedge of several; the first one keeps its place.

        Returns:
            How many numbers of hyperedges there are not.
        """
        unknown, gone = 0, set()
        for merge in merges:
            numbers = [n for n in dict.fromkeys(merge.numbers) if 0 <= n < len(self.hyperedges)]
            unknown += sum(not 0 <= n < len(self.hyperedges) for n in merge.numbers)
            numbers = [n for n in numbers if n not in gone]
            for n in numbers[1:]:
                self.hyperedges[numbers[0]].entities |= self.hyperedges[n].entities
                self.hyperedges[numbers[0]].chunks |= self.hyperedges[n].chunks
                gone.add(n)
            if len(numbers) > 1:
                self.hyperedges[numbers[0]].text = merge.text
        self.hyperedges = [edge for n, edge in self.numbered() if n not in gone]
        return unknown
