"""Questions on a history: of every category by turns, none about the same thing twice.

Evidence is the turns that the answer follows from: the statement that holds now, and for somebody
who is called by relation also the turns that introduced the name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from membench.tasks.generation.draws import Draws
from membench.tasks.generation.templates import Fields, render, sentence
from membench.tasks.synthetic.dates import long_date, spelled, spellings
from membench.tasks.synthetic.gold import UNANSWERABLE, SyntheticQuestion
from membench.tasks.synthetic.history import Fact, Happening, History
from membench.tasks.synthetic.people import Subject, described, named, third_person
from membench.tasks.synthetic.texts import Slot, read_texts, slots

ORDER = (
    *("multi-hop", "temporal", "update", "single-hop", "contradiction"),
    *("preference", UNANSWERABLE, "update", "temporal", "multi-hop"),
)
"""Which category comes when; starts again after ten."""

ABSENT_RELATION = 0.3
"""Share of unanswerable questions about somebody who was never introduced."""


@dataclass(frozen=True)
class Asked:
    """A question in words with its gold, before it has an id.

    Attributes:
        text: The question.
        gold: Its gold; `question_id` is empty.
        about: What it is about; no two questions of a case share one.
    """

    text: str
    gold: SyntheticQuestion
    about: tuple[object, ...]


def ask_about(history: History, draws: Draws, number: int) -> list[Asked]:
    """Questions on a history.

    Args:
        history: The finished history.
        draws: A stream of its own, so that a history does not depend on what is asked.
        number: How many; fewer if there is not so much to ask.
    """
    asker = Asker(history, draws)
    sources = {name: make() for name, make in asker.makers().items()}
    found: list[Asked] = []
    used: set[object] = set()
    for index in range(number):
        asked = next_unused(sources, ORDER[index % len(ORDER)], used)
        if asked is None:
            break
        used.update(asked.about)
        found.append(asked)
    return draws.shuffled(found)


def next_unused(
    sources: dict[str, Iterator[Asked]], category: str, used: set[object]
) -> Asked | None:
    """The next question of a category, or of another one where it has none left."""
    for name in (category, *(other for other in sources if other != category)):
        for asked in sources[name]:
            if used.isdisjoint(asked.about):
                return asked
    return None


class Asker:
    """Makes questions of every category."""

    def __init__(self, history: History, draws: Draws) -> None:
        """Look at a finished history."""
        self.history = history
        self.draws = draws
        self.facts = draws.shuffled(list(history.facts.values()))
        self.happenings = draws.shuffled(history.happenings)
        self.people = draws.shuffled(history.people)
        self.values = values_by_slot(history)

    def makers(self) -> dict[str, Callable[[], Iterator[Asked]]]:
        """What makes the questions of each category."""
        return {
            "single-hop": self.single_hop,
            "multi-hop": self.multi_hop,
            "temporal": self.temporal,
            "update": self.update,
            "contradiction": self.contradiction,
            "preference": self.preference,
            UNANSWERABLE: self.unanswerable,
        }

    def single_hop(self) -> Iterator[Asked]:
        """A fact that nothing was said against, by name."""
        for fact in self.facts:
            if len(fact.versions) == 1 and not fact.denied and not fact.slot.preference:
                yield self.about_fact("single-hop", fact)

    def multi_hop(self) -> Iterator[Asked]:
        """A fact about somebody who is called by relation."""
        for fact in self.facts:
            if fact.subject is not None:
                yield self.about_fact("multi-hop", fact, by_relation=True)

    def update(self) -> Iterator[Asked]:
        """A fact that has changed."""
        for fact in self.facts:
            if fact.current.how == "update" and not fact.slot.preference:
                yield self.about_fact("update", fact)

    def contradiction(self) -> Iterator[Asked]:
        """A fact that was put right, or one of which something else was claimed."""
        for fact in self.facts:
            if fact.current.how == "correction" or (len(fact.versions) == 1 and fact.denied):
                yield self.about_fact("contradiction", fact)

    def preference(self) -> Iterator[Asked]:
        """A taste, changed or not."""
        for fact in self.facts:
            if fact.slot.preference:
                yield self.about_fact("preference", fact)

    def about_fact(self, category: str, fact: Fact, by_relation: bool = False) -> Asked:
        """What a fact holds now."""
        who = described(fact.subject) if by_relation else named(fact.subject)
        core = fact.current.value.core
        old = [version.value.core for version in fact.versions[:-1]]
        links = fact.subject.introductions() if by_relation and fact.subject else ()
        gold = SyntheticQuestion(
            question_id="",
            category=category,
            evidence=(*links, fact.current.turn),
            answer=fact.current.value.text,
            accepted=(core,),
            decoys=tuple(value for value in self.values[fact.slot.name] if value != core),
            stale=tuple(old),
        )
        return Asked(self.worded(fact.slot.ask, who), gold, (id(fact),))

    def worded(self, templates: tuple[str, ...], who: Fields) -> str:
        """A question in words."""
        return sentence(render(self.draws.pick(templates), self.draws, who), "?")

    # --- temporal --------------------------------------------------------------------------------

    def temporal(self) -> Iterator[Asked]:
        """By turns, in drawn order: a date, the days between two events, an earlier value."""
        kinds = self.draws.shuffled((self.dates(), self.durations(), self.earlier_values()))
        return (asked for group in zip_longest(*kinds) for asked in group if asked is not None)

    def dates(self) -> Iterator[Asked]:
        """On which date something happened."""
        for event in self.happenings:
            verb = render(event.kind.verb, self.draws, named(event.subject))
            gold = SyntheticQuestion(
                question_id="",
                category="temporal",
                evidence=(event.turn,),
                answer=long_date(event.day),
                accepted=spellings(event.day),
                told=False,
            )
            yield Asked(f"On which date did {verb}?", gold, (event,))

    def durations(self) -> Iterator[Asked]:
        """How many days lie between two events."""
        events = self.happenings[::-1]
        for first, second in zip(events[::2], events[1::2], strict=False):
            days = abs((first.day - second.day).days)
            if days < 2:
                continue
            words = tuple(dict.fromkeys((f"{days} days", f"{spelled(days)} days")))
            gold = SyntheticQuestion(
                question_id="",
                category="temporal",
                evidence=(first.turn, second.turn),
                answer=f"{days} days",
                accepted=words,
                alone=tuple(dict.fromkeys((str(days), spelled(days)))),
                told=False,
            )
            nouns = self.noun(first), self.noun(second)
            text = f"How many days lie between {nouns[0]} and {nouns[1]}?"
            yield Asked(text, gold, (first, second))

    def noun(self, event: Happening) -> str:
        """An event as a noun."""
        return render(event.kind.noun, self.draws, named(event.subject))

    def earlier_values(self) -> Iterator[Asked]:
        """What held before the last change."""
        for fact in self.facts:
            if fact.current.how == "update" and fact.slot.before:
                earlier = fact.versions[-2]
                core = earlier.value.core
                gold = SyntheticQuestion(
                    question_id="",
                    category="temporal",
                    evidence=(earlier.turn, fact.current.turn),
                    answer=earlier.value.text,
                    accepted=(core,),
                    decoys=tuple(v for v in self.values[fact.slot.name] if v != core),
                )
                text = self.worded(fact.slot.before, named(fact.subject))
                yield Asked(text, gold, (id(fact),))

    # --- unanswerable ----------------------------------------------------------------------------

    def unanswerable(self) -> Iterator[Asked]:
        """What was never said: of somebody known, or of somebody never introduced."""
        kinds = [slot for slot in slots().values() if not slot.request]
        relations = read_texts("words")["listed"]["relation"]
        known = {person.relation for person in self.people if person.of is None}
        absent = self.draws.shuffled([word for word in relations if word not in known])
        subjects: list[Subject] = [None, *self.people]
        for slot in self.draws.shuffled(kinds):
            if absent and self.draws.chance(ABSENT_RELATION):
                yield self.refusable(slot, third_person(f"my {absent.pop()}"))
                continue
            unsaid = [s for s in subjects if (s, slot.name) not in self.history.facts]
            if unsaid:
                yield self.refusable(slot, self.called(self.draws.pick(unsaid)))

    def called(self, subject: Subject) -> Fields:
        """Somebody by name or by relation."""
        return described(subject) if self.draws.chance(0.5) else named(subject)

    def refusable(self, slot: Slot, who: Fields) -> Asked:
        """A question that only a refusal answers rightly."""
        gold = SyntheticQuestion(
            question_id="",
            category=UNANSWERABLE,
            answer="not mentioned",
            decoys=tuple(self.values[slot.name]),
        )
        return Asked(self.worded(slot.ask, who), gold, ((slot.name, who["S"]),))


def values_by_slot(history: History) -> dict[str, list[str]]:
    """Every value of a slot that occurs in a history: of anybody, at any time, denied ones too."""
    found: dict[str, list[str]] = {name: [] for name in slots()}
    for fact in history.facts.values():
        found[fact.slot.name] += [version.value.core for version in fact.versions]
        found[fact.slot.name] += [value.core for value in fact.denied]
    for name, values in history.others.items():
        found[name] += [value.core for value in values]
    return found
