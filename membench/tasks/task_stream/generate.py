"""Writing a stream: which rule comes next, what is asked, what was tried and what was said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from membench.domain.case import Case
from membench.tasks.episodes import FEEDBACK, REQUEST, Episode, StreamTimeline, turn_id
from membench.tasks.generation.draws import Draws
from membench.tasks.generation.templates import sentence
from membench.tasks.task_stream.gold import UNFORESEEN, StreamGold, StreamQuestion
from membench.tasks.task_stream.recipe import GENERATOR, Recipe
from membench.tasks.task_stream.rules import ProcedureNames, RepairRule, draw_rules, read_texts

START = datetime(2024, 3, 4, 9)
DAY = 10
"""Tasks of a day; at its end there is time for sleep-time work."""

NEW = 0.4
"""Chance of a new rule, while there are any."""

UNNAMED = 0.25
"""Share of new rules of which the first feedback only says that the attempt was wrong."""

CHANGE, BOTH, REWORDED = 0.07, 0.15, 0.3
"""Chances that a known rule changes, comes with another, or is worded in another way."""

RIGHT = 0.7
"""Share of attempts at known rules that were right."""

ASIDES = 4
"""Sentences of a request that do not matter."""


@dataclass(frozen=True)
class Written:
    """A task as it was written, before it has its place in the timeline."""

    episode: Episode
    category: str
    right: tuple[str, ...]
    evidence: tuple[int, ...]
    refuted: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def make_case(
    recipe: Recipe, seed: int, index: int, opaque: Callable[[str], str]
) -> tuple[Case, StreamGold]:
    """The stream of an index, with its gold."""
    name = f"{seed}-{index}"
    writer = Writer(Draws(f"task_stream/{GENERATOR}/{name}"), recipe.rules)
    timeline = StreamTimeline(rest=DAY)
    written = [(w, timeline.add(w.episode)) for w in map(writer.task, range(recipe.tasks))]
    questions = {}
    for number, (each, event) in enumerate(written):
        turns = [(n, place) for n in each.evidence for place in (REQUEST, FEEDBACK)]
        questions[event] = StreamQuestion(
            question_id=f"{name}/t{number + 1}",
            category=each.category,
            evidence=tuple(turn_id(n, place) for n, place in turns),
            answer=" and ".join(each.right),
            right=each.right,
            others=tuple(p for p in writer.names.taken if p not in each.right),
            refuted=each.refuted,
            options=each.options or tuple(sorted(writer.names.taken)),
            late=3 * number >= 2 * recipe.tasks,
        )
    case = timeline.case(name, "task_stream", opaque)
    return case, StreamGold(name, questions, {turn: turn for turn in case.turns()})


class Writer:
    """Writes the tasks of one stream in order."""

    def __init__(self, draws: Draws, rules: int) -> None:
        """Draw the rules; nobody knows any."""
        self.draws = draws
        self.names = ProcedureNames(draws)
        self.coming = draw_rules(draws, self.names, rules)
        self.met: list[RepairRule] = []

    def task(self, number: int) -> Written:
        """The next task; `number` counts from 0."""
        known = [rule for rule in self.met if rule.known]
        if self.coming and (not self.met or self.draws.chance(NEW)):
            self.met.append(self.coming.pop())
            return self.unforeseen(number, self.met[-1], named=not self.draws.chance(UNNAMED))
        rule = self.draws.pick(self.met)
        if not rule.known:
            return self.avoided(number, rule)
        if self.draws.chance(CHANGE):
            return self.change(number, rule)
        if len(known) > 1 and self.draws.chance(BOTH):
            return self.both(number, rule, self.draws.pick([r for r in known if r is not rule]))
        return self.known(number, rule)

    def unforeseen(self, number: int, rule: RepairRule, *, named: bool) -> Written:
        """A rule of which nothing was told: the attempt fails."""
        tried = self.names.other_than([rule.procedure], self.draws)
        written = self.single(number, rule, tried, "failed" if named else "failed_unnamed")
        rule.lesson, rule.known = number, named
        rule.refuted.append(tried)
        return written

    def avoided(self, number: int, rule: RepairRule) -> Written:
        """What was wrong was told, and two procedures are left to choose from."""
        (refuted,) = rule.refuted
        tried = rule.procedure if self.draws.chance(RIGHT) else refuted
        a, b = self.draws.shuffled([refuted, rule.procedure])
        ask = self.say("ask_choice", a=a, b=b)
        kind = "worked" if tried == rule.procedure else "failed"
        written = self.single(number, rule, tried, kind, category="avoid", ask=ask)
        rule.lesson, rule.known = number, True
        return replace(written, options=(a, b))

    def change(self, number: int, rule: RepairRule) -> Written:
        """The procedure is withdrawn, which nobody could foresee."""
        old, rule.procedure = rule.procedure, self.names.take()
        written = self.single(number, rule, old, "withdrawn")
        rule.lesson, rule.changed = number, True
        rule.refuted.append(old)
        return written

    def both(self, number: int, rule: RepairRule, other: RepairRule) -> Written:
        """Two known faults at once."""
        right = (rule.procedure, other.procedure)
        lessons = tuple(sorted({n for r in (rule, other) if (n := r.lesson) is not None}))
        request = self.request(rule, rule.phrasings[0], other)
        ask, fields = self.say("ask_both"), {"right": right[0], "also": right[1]}
        attempt, feedback = self.say("attempt_both", **fields), self.say("worked_both", **fields)
        episode = Episode(
            f"{request} {ask}", request, attempt, feedback, success=True, time=time_of(number)
        )
        refuted = [name for name in (*rule.refuted, *other.refuted) if name not in right]
        return Written(episode, "combined", right, lessons, tuple(refuted))

    def known(self, number: int, rule: RepairRule) -> Written:
        """A fault whose procedure was named before."""
        right = self.draws.chance(RIGHT)
        tried = rule.procedure if right else self.names.other_than([rule.procedure], self.draws)
        phrasing, category = rule.phrasings[0], "changed" if rule.changed else "repeat"
        if not rule.changed and rule.unused and self.draws.chance(REWORDED):
            phrasing, category = rule.unused.pop(0), "reworded"
        kind = "worked" if right else "failed"
        written = self.single(number, rule, tried, kind, category=category, phrasing=phrasing)
        if category != "reworded":
            rule.lesson = number
        if not right and tried not in rule.refuted:
            rule.refuted.append(tried)
        return written

    def single(
        self,
        number: int,
        rule: RepairRule,
        tried: str,
        kind: str,
        *,
        category: str = UNFORESEEN,
        ask: str = "",
        phrasing: str = "",
    ) -> Written:
        """A task about one fault; what is known of it is what was told before."""
        request = self.request(rule, phrasing or rule.phrasings[0])
        feedback = self.say(kind, tried=tried, right=rule.procedure)
        episode = Episode(
            f"{request} {ask or self.say('ask')}",
            request,
            self.say("attempt", tried=tried),
            feedback,
            success=kind == "worked",
            time=time_of(number),
        )
        lessons = () if category == UNFORESEEN or rule.lesson is None else (rule.lesson,)
        refuted = tuple(name for name in rule.refuted if name != rule.procedure)
        return Written(episode, category, (rule.procedure,), lessons, refuted)

    def request(self, rule: RepairRule, phrasing: str, other: RepairRule | None = None) -> str:
        """What a customer brings, with words that do not matter."""
        whence = {"person": self.say("people"), "town": self.say("towns")}
        parts = [sentence(self.say("opening", device=rule.device, fault=phrasing, **whence))]
        if other is not None:
            fault = other.phrasings[0]
            parts.append(self.say("second_opening", device=other.device, fault=fault))
        return " ".join([*parts, *self.draws.shuffled(read_texts()["aside"])[:ASIDES]])

    def say(self, kind: str, **fields: str) -> str:
        """One of the texts of a kind."""
        return self.draws.pick(read_texts()[kind]).format(**fields)


def time_of(number: int) -> datetime:
    """When a task came in: ten in a day, half an hour apart."""
    return START + timedelta(days=number // DAY, minutes=30 * (number % DAY))
