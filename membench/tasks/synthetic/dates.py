"""Names of days and months, whatever the machine's locale, and how a date may be written."""

from __future__ import annotations

from datetime import date

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
NUMBER_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen", "twenty"),
)
ORDINALS = {1: "1st", 2: "2nd", 3: "3rd", 21: "21st", 22: "22nd", 23: "23rd", 31: "31st"}


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    return ORDINALS.get(number, f"{number}th")


def spelled(number: int) -> str:
    """A number in words up to twenty, else in digits."""
    return NUMBER_WORDS[number] if number < len(NUMBER_WORDS) else str(number)


def long_date(day: date) -> str:
    """`4 March 2023`."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def spellings(day: date) -> tuple[str, ...]:
    """The ways to write a date that count as that date; each has its year."""
    month, year, nth = MONTHS[day.month - 1], day.year, ordinal(day.day)
    return (
        long_date(day),
        f"{day.day} {month[:3]} {year}",
        f"{nth} {month} {year}",
        f"{nth} of {month} {year}",
        f"{month} {day.day} {year}",
        f"{month[:3]} {day.day} {year}",
        f"{month} {nth} {year}",
        f"{year} {day.month:02} {day.day:02}",
    )
