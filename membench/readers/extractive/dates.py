"""Dates in what people say: found, resolved against the day it was said, and printed.

A **mention** is a stretch of text that tells a time ("last Friday", "two weeks ago", "7 May").
Resolving it gives a **when**: a day, a month, a year, or a stretch that is only known relative to
the day it was said ("the week before 9 June 2023"). It is printed as benchmarks print dates:
`7 May 2023`, `May 2023`, `2022`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum

from membench.readers.extractive.words import NUMBERS, listed

MONTHS = listed(
    "january february march april may june july august september october november december"
)
WEEKDAYS = listed("monday tuesday wednesday thursday friday saturday sunday")
HOLIDAYS = {
    "new year's day": (1, 1),
    "valentine's day": (2, 14),
    "independence day": (7, 4),
    "halloween": (10, 31),
    "christmas eve": (12, 24),
    "christmas": (12, 25),
    "new year's eve": (12, 31),
}

MONTH = r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
MONTH += r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
DAY = r"(?P<day>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?"
YEAR = r"(?P<year>(?:19|20)\d\d)"
COUNT = rf"(?P<count>\d+|an?|{'|'.join(NUMBERS)}|a few|few|a couple of|a couple|several|some)"
WEEKDAY = rf"(?P<weekday>{'|'.join(WEEKDAYS)})"


class Grain(IntEnum):
    """How precisely a time is known, finest first."""

    DAY = 0
    VAGUE = 1
    MONTH = 2
    SEASON = 3
    YEAR = 4


@dataclass(frozen=True, slots=True)
class When:
    """A resolved time.

    Attributes:
        day: The day itself, or the first of a month or year, or for a vague stretch the day
            nearest to what is known.
        grain: How precisely it is known.
        words: How it is printed, where the grain alone does not say.
    """

    day: date
    grain: Grain
    words: str = ""

    def __str__(self) -> str:
        """As benchmarks print dates."""
        if self.words:
            return self.words
        if self.grain is Grain.DAY:
            return f"{self.day.day} {month_name(self.day.month)} {self.day.year}"
        if self.grain is Grain.MONTH:
            return f"{month_name(self.day.month)} {self.day.year}"
        return str(self.day.year)


@dataclass(frozen=True, slots=True)
class Mention:
    """A stretch `start:end` of a text that tells a time, by the rule that found it."""

    start: int
    end: int
    rule: str
    groups: tuple[tuple[str, str], ...]

    def resolve(self, reference: date | None) -> When | None:
        """The time that is meant when it was said on `reference`; None if that cannot be known."""
        groups = dict(self.groups)
        if reference is None and self.rule not in ABSOLUTE:
            return None
        try:
            return RESOLVERS[self.rule](groups, reference or date.min)
        except (ValueError, OverflowError):
            return None  # 31 February, or the year 0


def month_name(month: int) -> str:
    """English name of month 1..12."""
    return MONTHS[month - 1].capitalize()


def printed_day(day: date) -> str:
    """`7 May 2023`."""
    return str(When(day, Grain.DAY))


_MONTH = "|".join(month.capitalize() for month in MONTHS)
_DAY = rf"\d{{1,2}} (?:{_MONTH}) \d{{1,4}}"
PRINTED = re.compile(
    rf"{_DAY}|(?:{_MONTH}) \d{{1,4}}|\d{{1,4}}|(?:spring|summer|fall|autumn|winter) \d{{1,4}}"
    rf"|a few (?:day|week|weekend|month|year)s (?:before|after) {_DAY}"
    rf"|\d+ weekends (?:before|after) {_DAY}|the (?:week|weekend) (?:before|of|after) {_DAY}"
)
"""All that a time is printed as."""


RULES: tuple[tuple[str, str], ...] = (
    ("iso", r"(?P<year>(?:19|20)\d\d)-(?P<number>\d\d)-(?P<day>\d\d)"),
    ("day", rf"(?:the )?{DAY}(?: of)? {MONTH}(?:,? {YEAR})?"),
    ("day", rf"{MONTH} (?:the )?{DAY}(?!\d)(?:,? {YEAR})?"),
    ("slash", r"(?P<number>1[0-2]|0?[1-9])/(?P<day>3[01]|[12]\d|0?[1-9])(?:/(?P<year>20\d\d))?"),
    ("day_before_yesterday", r"(?:the )?day before yesterday"),
    ("day_after_tomorrow", r"(?:the )?day after tomorrow"),
    ("yesterday", r"yesterday|last night"),
    ("tomorrow", r"tomorrow"),
    ("today", r"today|tonight|this (?:morning|afternoon|evening)|earlier today|just now"),
    ("ago", rf"{COUNT} (?P<unit>day|week|weekend|month|year)s? (?:ago|back|earlier)\b"),
    ("ago", rf"{COUNT} (?P<unit>day|week|month|year)s? before\b(?! [a-z])"),
    ("ahead", rf"in {COUNT} (?P<unit>day|week|month|year)s?"),
    (
        "for",
        rf"for (?:about |around |over |almost |nearly )?{COUNT} (?P<unit>month|year)s?(?: now)?",
    ),
    ("weekday", rf"(?P<side>last|past|this past|this|next|this coming|on) {WEEKDAY}"),
    (
        "period",
        r"(?P<side>last|past|this past|this|next|this coming) (?P<unit>week|weekend|month|year)",
    ),
    ("season", r"(?P<side>last|this past|this|next) (?P<season>spring|summer|fall|autumn|winter)"),
    ("side_month", rf"(?P<side>last|this past|this|next) {MONTH}"),
    ("month", rf"(?:in |since |early |late |mid-?)?{MONTH}(?:,? (?:of )?{YEAR})"),
    ("month", rf"(?:in|since|during|by|until|around) (?:early |late |mid-?)?{MONTH}"),
    ("year", rf"(?:in|since|during|from|of|around|until|by) {YEAR}"),
    ("holiday", rf"(?P<holiday>{'|'.join(HOLIDAYS)})"),
    ("vague", r"(?P<vague>the other day|recently|lately)"),
)
PATTERNS = tuple((rule, re.compile(rf"(?<!\w){pattern}(?!\w)", re.I)) for rule, pattern in RULES)
TRIGGER = re.compile(
    rf"\d|{'|'.join(month[:3] for month in MONTHS)}|day|night|week|month|year|today|tomorrow|"
    r"morrow|morning|evening|noon|now|ago|last|next|past|spring|summer|fall|autumn|winter|recent|"
    r"late|christmas|halloween",
    re.I,
)
ABSOLUTE = frozenset({"iso", "year"})


def mentions(text: str) -> tuple[Mention, ...]:
    """Times told in a text, in order; where two overlap the earlier rule wins."""
    if not TRIGGER.search(text):
        return ()
    found: list[Mention] = []
    for rule, pattern in PATTERNS:
        for match in pattern.finditer(text.replace("’", "'")):
            if all(match.end() <= m.start or match.start() >= m.end for m in found):
                groups = tuple((k, v.lower()) for k, v in match.groupdict().items() if v)
                found.append(Mention(match.start(), match.end(), rule, groups))
    return tuple(sorted(found, key=lambda mention: mention.start))


def day_of(time: datetime | None) -> date | None:
    """The calendar day of a dataset time."""
    return None if time is None else time.date()


# --- one resolver per rule ----------------------------------------------------------------------

Groups = dict[str, str]


def month_number(name: str) -> int:
    """1..12 of a full or short name."""
    return next(i for i, month in enumerate(MONTHS, 1) if month.startswith(name.rstrip(".")[:3]))


def nearest_year(month: int, day: int, reference: date) -> date:
    """The date of a month and day in the year that brings it nearest to when it was said."""
    return min(
        (safe_date(reference.year + offset, month, day) for offset in (-1, 0, 1)),
        key=lambda found: abs(found - reference),
    )


def safe_date(year: int, month: int, day: int) -> date:
    """A date; 29 February falls back to the 28th in common years."""
    if (month, day) == (2, 29):
        return date(year, 3, 1) - timedelta(days=1)
    return date(year, month, day)


def shifted_month(day: date, months: int) -> date:
    """First day of the month `months` after the one of `day`."""
    total = day.year * 12 + day.month - 1 + months
    return date(total // 12, total % 12 + 1, 1)


def counted(words: str) -> int | None:
    """The number a count means; None for "a few" and its like."""
    words = words.lower()
    if words.isdigit():
        return int(words)
    if words in {"a", "an"}:
        return 1
    if words.startswith("a couple"):
        return 2
    return NUMBERS.get(words)


def on_day(groups: Groups, reference: date) -> When:
    """A day of a month, with or without its year."""
    month = int(groups["number"]) if "number" in groups else month_number(groups["month"])
    day = int(groups["day"])
    if "year" in groups:
        return When(date(int(groups["year"]), month, day), Grain.DAY)
    return When(nearest_year(month, day, reference), Grain.DAY)


def offset_days(days: int, reference: date) -> When:
    """A number of days from when it was said."""
    return When(reference + timedelta(days=days), Grain.DAY)


def offset_units(count: int | None, unit: str, reference: date, sign: int) -> When:
    """Some units before (sign -1) or after (+1) it was said, as precise as the unit."""
    side = "before" if sign < 0 else "after"
    if count is None:
        return When(reference, Grain.VAGUE, f"a few {unit}s {side} {printed_day(reference)}")
    if unit in {"day", "week"}:
        return offset_days(sign * count * (7 if unit == "week" else 1), reference)
    if unit == "weekend":
        return When(reference, Grain.VAGUE, f"{count} weekends {side} {printed_day(reference)}")
    if unit == "month":
        return When(shifted_month(reference, sign * count), Grain.MONTH)
    return When(date(reference.year + sign * count, 1, 1), Grain.YEAR)


def ago(groups: Groups, reference: date) -> When:
    """Resolve "two weeks ago"."""
    return offset_units(counted(groups["count"]), groups["unit"], reference, -1)


def ahead(groups: Groups, reference: date) -> When:
    """Resolve "in two weeks"."""
    return offset_units(counted(groups["count"]), groups["unit"], reference, +1)


def side_of(groups: Groups) -> int:
    """-1 for the past, 0 for this, +1 for the next."""
    side = groups["side"]
    if side in {"last", "past", "this past"}:
        return -1
    return 1 if side in {"next", "this coming"} else 0


def weekday(groups: Groups, reference: date) -> When:
    """Resolve "last Friday", "next Monday"; "on Sunday" looks back: people tell what was."""
    wanted = WEEKDAYS.index(groups["weekday"])
    if side_of(groups) > 0 or groups["side"] == "this":
        return offset_days((wanted - reference.weekday() - 1) % 7 + 1, reference)
    return offset_days(-((reference.weekday() - wanted - 1) % 7 + 1), reference)


def period(groups: Groups, reference: date) -> When:
    """Resolve "last week", "this weekend", "next month", "last year"."""
    sign, unit = side_of(groups), groups["unit"]
    if unit == "year":
        return When(date(reference.year + sign, 1, 1), Grain.YEAR)
    if unit == "month":
        return When(shifted_month(reference, sign), Grain.MONTH)
    side = {-1: "before", 0: "of", 1: "after"}[sign]
    return When(
        reference + timedelta(days=7 * sign),
        Grain.VAGUE,
        f"the {unit} {side} {printed_day(reference)}",
    )


def season(groups: Groups, reference: date) -> When:
    """Resolve "last summer": the season and its year."""
    month = {"spring": 4, "summer": 7, "fall": 10, "autumn": 10, "winter": 1}[groups["season"]]
    sign = side_of(groups)
    year = reference.year + sign
    if sign < 0 and month + 1 < reference.month:
        year = reference.year  # "last summer", said in autumn
    return When(date(year, month, 1), Grain.SEASON, f"{groups['season']} {year}")


def side_month(groups: Groups, reference: date) -> When:
    """Resolve "last March", "next June"."""
    month, sign = month_number(groups["month"]), side_of(groups)
    year = reference.year
    if sign < 0 and month >= reference.month:
        year -= 1
    if sign > 0 and month <= reference.month:
        year += 1
    return When(date(year, month, 1), Grain.MONTH)


def in_month(groups: Groups, reference: date) -> When:
    """Resolve "in May", "May 2022"."""
    month = month_number(groups["month"])
    if "year" in groups:
        return When(date(int(groups["year"]), month, 1), Grain.MONTH)
    return When(nearest_year(month, 15, reference).replace(day=1), Grain.MONTH)


def on_holiday(groups: Groups, reference: date) -> When:
    """A holiday with a fixed date."""
    return When(nearest_year(*HOLIDAYS[groups["holiday"]], reference), Grain.DAY)


def vaguely(groups: Groups, reference: date) -> When:
    """Resolve "the other day", "recently"."""
    return When(reference, Grain.VAGUE, f"a few days before {printed_day(reference)}")


RESOLVERS: dict[str, Callable[[Groups, date], When]] = {
    "iso": on_day,
    "day": on_day,
    "slash": on_day,
    "day_before_yesterday": lambda _, reference: offset_days(-2, reference),
    "day_after_tomorrow": lambda _, reference: offset_days(2, reference),
    "yesterday": lambda _, reference: offset_days(-1, reference),
    "tomorrow": lambda _, reference: offset_days(1, reference),
    "today": lambda _, reference: offset_days(0, reference),
    "ago": ago,
    "ahead": ahead,
    "for": ago,
    "weekday": weekday,
    "period": period,
    "season": season,
    "side_month": side_month,
    "month": in_month,
    "year": lambda groups, _: When(date(int(groups["year"]), 1, 1), Grain.YEAR),
    "holiday": on_holiday,
    "vague": vaguely,
}
