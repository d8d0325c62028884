"""What a case knows: facts and their versions, events, who is who, and when each was said.

`History` draws the statements of a case one after the other and remembers what each of them means.
Nothing here knows of questions: a history is the same whatever is asked about it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from membench.tasks.generation.draws import Draws
from membench.tasks.generation.templates import Fields, render, sentence
from membench.tasks.synthetic.dates import MONTHS, NUMBER_WORDS, WEEKDAYS, ordinal
from membench.tasks.synthetic.people import Person, Subject, named, third_person
from membench.tasks.synthetic.texts import EventKind, Slot, event_kinds, read_texts, slots
from membench.tasks.synthetic.values import Value, ValueSupply

How = Literal["state", "update", "correction"]

NEW = {"person": 0.2, "event": 0.25, "preference": 0.15, "assistant": 0.05, "fact": 0.35}
"""Shares among statements that are new."""

CORRECTIONS = 0.25
"""Share of corrections among changes."""

DENIALS = 0.4
"""Share of denied claims among distractors."""

OF_OTHERS = 0.6
"""Share of facts that are about others than the user."""

SECOND_DEGREE = 0.3
"""Share of people who are introduced as somebody else's relation."""


@dataclass(frozen=True)
class Version:
    """One value of a fact.

    Attributes:
        value: The value.
        turn: The turn that said so.
        session: The session it stands in, from 0.
        how: Whether it was stated first, changed, or put right what was wrong.
    """

    value: Value
    turn: str
    session: int
    how: How


@dataclass
class Fact:
    """What a slot of somebody holds, over time.

    Attributes:
        subject: Whom it is about.
        slot: Which thing.
        versions: Oldest first; the last one holds.
        denied: Values that were claimed and denied.
    """

    subject: Subject
    slot: Slot
    versions: list[Version]
    denied: list[Value] = field(default_factory=list)

    @property
    def current(self) -> Version:
        """The version that holds."""
        return self.versions[-1]


@dataclass(frozen=True)
class Happening:
    """Something that happened to somebody on a day."""

    subject: Subject
    kind: EventKind
    day: date
    turn: str
    session: int


@dataclass(frozen=True)
class Place:
    """Where a statement is about to stand.

    Attributes:
        session: Number of the session, from 0.
        day: Its date.
        user_turn: Id of the user's turn.
        assistant_turn: Id of the reply.
    """

    session: int
    day: date
    user_turn: str
    assistant_turn: str


@dataclass(frozen=True)
class Statement:
    """One statement in words.

    Attributes:
        text: What the user says, without a capital letter and a full stop of its own.
        reply: What the assistant says, where that is the statement.
        lead: Whether a few words may stand before it.
    """

    text: str
    reply: str | None = None
    lead: bool = True


class History:
    """Draws the statements of a case.

    Args:
        draws: The case's stream of draws.
        update_rate: Share of statements, distractors apart, that change an earlier fact.
        distractor_ratio: Share of statements that no question may be answered from.
    """

    def __init__(self, draws: Draws, update_rate: float, distractor_ratio: float) -> None:
        """Nobody is known and nothing was said."""
        self.draws = draws
        self.update_rate = update_rate
        self.distractor_ratio = distractor_ratio
        self.supply = ValueSupply(draws)
        self.people: list[Person] = []
        self.facts: dict[tuple[Subject, str], Fact] = {}
        self.changeable: list[Fact] = []
        self.happenings: list[Happening] = []
        self.happened: set[tuple[Subject, EventKind]] = set()
        self.others: dict[str, list[Value]] = {}

    # --- what is said next -----------------------------------------------------------------------

    def statement(self, at: Place) -> Statement | None:
        """The next statement; None where everything there is to say has been said."""
        if self.draws.chance(self.distractor_ratio):
            return self.distractor()
        if self.changeable and self.draws.chance(self.update_rate):
            return self.change(at)
        return self.news(at)

    def news(self, at: Place) -> Statement | None:
        """Something new, of a kind that is not exhausted."""
        makers: dict[str, Callable[[Place], Statement | None]] = {
            "person": self.introduction,
            "event": self.event,
            "preference": self.preference,
            "assistant": self.recommendation,
            "fact": self.plain_fact,
        }
        point = self.draws.random()
        order = list(NEW)
        while order and point >= NEW[order[0]]:
            point -= NEW[order.pop(0)]
        tried = [*order, *(name for name in NEW if name not in order)]
        return next((said for name in tried if (said := makers[name](at)) is not None), None)

    # --- people ----------------------------------------------------------------------------------

    def introduction(self, at: Place) -> Statement | None:
        """Somebody who was not mentioned before."""
        relation = self.free_relation()
        name = self.supply.take("person") if relation else None
        if relation is None or name is None:
            return None
        words, of = relation
        person = Person(name.core, words, of, at.user_turn)
        self.people.append(person)
        template = self.draws.pick(
            (
                "{P} {relation} is called {name}",
                "{name} is {P} {relation}",
                "have I mentioned {name}? That is {P} {relation}",
            )
        )
        fields = {**named(of), "relation": words, "name": name.core}
        return Statement(render(template, self.draws, fields))

    def free_relation(self) -> tuple[str, Subject] | None:
        """A relation that nobody has yet: to the user, or to somebody known."""
        words = read_texts("words")["listed"]
        of: Subject = None
        if self.people and self.draws.chance(SECOND_DEGREE):
            first = [person for person in self.people if person.of is None]
            of = self.draws.pick(first)
        taken = {person.relation for person in self.people if person.of == of}
        free = [word for word in words["link" if of else "relation"] if word not in taken]
        return (self.draws.pick(free), of) if free else None

    def subject(self) -> Subject:
        """Whom the next fact is about."""
        return self.draws.pick(self.people) if self.someone_else() else None

    def someone_else(self) -> bool:
        """Whether it is about somebody else than the user."""
        return self.draws.chance(OF_OTHERS) and bool(self.people)

    # --- facts -----------------------------------------------------------------------------------

    def plain_fact(self, at: Place) -> Statement | None:
        """A fact that is no preference."""
        return self.fact(at, [s for s in slots().values() if not s.preference and not s.request])

    def preference(self, at: Place) -> Statement | None:
        """A taste."""
        return self.fact(at, [slot for slot in slots().values() if slot.preference])

    def fact(self, at: Place, kinds: list[Slot]) -> Statement | None:
        """A fact of one of these kinds that its subject has not got yet."""
        subject = self.subject()
        free = [slot for slot in kinds if (subject, slot.name) not in self.facts]
        slot = self.draws.pick(free) if free else None
        value = self.supply.take(slot.pool) if slot else None
        if slot is None or value is None:
            return None
        self.record(subject, slot, Version(value, at.user_turn, at.session, "state"))
        return Statement(self.claim(slot, named(subject), value))

    def recommendation(self, at: Place) -> Statement | None:
        """Something that the assistant names when asked."""
        kinds = [slot for slot in slots().values() if slot.request]
        free = [slot for slot in kinds if (None, slot.name) not in self.facts]
        slot = self.draws.pick(free) if free else None
        value = self.supply.take(slot.pool) if slot else None
        if slot is None or value is None:
            return None
        self.record(None, slot, Version(value, at.assistant_turn, at.session, "state"))
        request = render(self.draws.pick(slot.request), self.draws, {})
        reply = sentence(self.claim(slot, named(None), value))
        return Statement(request, reply, lead=False)

    def record(self, subject: Subject, slot: Slot, version: Version) -> None:
        """Remember a new fact."""
        fact = Fact(subject, slot, [version])
        self.facts[subject, slot.name] = fact
        if slot.update:
            self.changeable.append(fact)

    def claim(self, slot: Slot, who: Fields, value: Value) -> str:
        """A fact as part of a sentence."""
        return render(self.draws.pick(slot.state), self.draws, {**who, "v": value.text})

    # --- changes ---------------------------------------------------------------------------------

    def change(self, at: Place) -> Statement | None:
        """An update or a correction of a fact from an earlier session."""
        fact = self.draws.pick(self.changeable)
        recent = fact.current.session == at.session
        value = None if recent else self.supply.take(fact.slot.pool)
        if value is None:
            return self.news(at)
        how: How = "correction" if self.draws.chance(CORRECTIONS) else "update"
        who = {**named(fact.subject), "v": value.text, "w": fact.current.value.text}
        if how == "correction":
            template = self.draws.pick(read_texts("distractors")["correction"])
            who["claim"] = self.claim(fact.slot, named(fact.subject), value)
        else:
            template = self.draws.pick(fact.slot.update)
        fact.versions.append(Version(value, at.user_turn, at.session, how))
        return Statement(render(template, self.draws, who))

    # --- events ----------------------------------------------------------------------------------

    def event(self, at: Place) -> Statement | None:
        """Something that happened on one of the last days."""
        subject = self.subject()
        free = [kind for kind in event_kinds() if (subject, kind) not in self.happened]
        if not free:
            return None
        kind, ago = self.draws.pick(free), self.draws.pick((*range(11), 14))
        day = at.day - timedelta(days=ago)
        self.happened.add((subject, kind))
        self.happenings.append(Happening(subject, kind, day, at.user_turn, at.session))
        when = self.time_phrase(day, ago)
        joined = " " if when.endswith(" that") else ", "
        what = render(kind.state, self.draws, named(subject))
        return Statement(f"{when}{joined}{what}")

    def time_phrase(self, day: date, ago: int) -> str:
        """A day as it is told so many days later."""
        times = read_texts("time")
        special = {0: "today", 1: "yesterday", 7: "week", 14: "fortnight"}
        kinds = [special[ago]] if ago in special else ["days", "date"]
        if 2 <= ago <= 6:
            kinds.append("weekday")
        fields = {
            "n": NUMBER_WORDS[ago] if ago < len(NUMBER_WORDS) else str(ago),
            "weekday": WEEKDAYS[day.weekday()],
            "month": MONTHS[day.month - 1],
            "number": str(day.day),
            "day": ordinal(day.day),
        }
        return render(self.draws.pick(times[self.draws.pick(kinds)]), self.draws, fields)

    # --- distractors -----------------------------------------------------------------------------

    def distractor(self) -> Statement | None:
        """A statement that is true of nobody who is asked about."""
        deniable = list(self.facts.values())
        if deniable and self.draws.chance(DENIALS):
            return self.denial(self.draws.pick(deniable))
        return self.gossip()

    def denial(self, fact: Fact) -> Statement | None:
        """A claim about a known fact that is denied in the same breath."""
        value = self.supply.take(fact.slot.pool)
        if value is None or fact.slot.request:
            return self.gossip()
        fact.denied.append(value)
        claim = self.claim(fact.slot, named(fact.subject), value)
        template = self.draws.pick(read_texts("distractors")["denial"])
        return Statement(render(template, self.draws, {"claim": claim}))

    def gossip(self) -> Statement | None:
        """A fact about somebody who is never asked about."""
        texts = read_texts("distractors")
        slot = self.draws.pick([slot for slot in slots().values() if not slot.request])
        value = self.supply.take(slot.pool)
        if value is None:
            return None
        self.others.setdefault(slot.name, []).append(value)
        about, teller = self.draws.shuffled(texts["bystander"])[:2]
        tale = render(self.draws.pick(texts["tale"]), self.draws, {"bystander": teller})
        claim = self.claim(slot, third_person(about), value)
        return Statement(f"{tale} {claim}" if tale else claim, lead=not tale)
