"""HTML without a framework: all text is escaped, nothing is loaded from elsewhere."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from membench.domain.labels import JsonView
from membench.leaderboard.rendering.style import STYLE, TABLE_STYLE, WORDS_STYLE
from membench.metrics.numbers import significant

Records = Sequence[JsonView]

PROSE = "prose"
BEGINNING = 60
"""Characters of a paragraph that a table shows."""

Link = Callable[[JsonView], str]
"""From a line of a table to where one of its cells leads; empty for nowhere."""

FIGURE = re.compile(
    r"[-+]?(\d[\d,]*(\.\d+)?|∞)( %| J| MB)?( \[[^\]]*\])?( \([^)]*\))?"
    r"( (measured|modelled|estimated))?"
)
"""What is set like a number: it may have an interval, a unit and a provenance."""

UNKNOWN = "–"


@dataclass(frozen=True)
class Sorting:
    """How readers sort a table with the site's script.

    Attributes:
        by: The column in whose order the lines stand, the lowest first; empty for none.
        high_first: Columns whose first click brings the highest to the top.
        pinned: Columns on the left that stay where the table is scrolled sideways.
    """

    by: str = ""
    high_first: frozenset[str] = frozenset()
    pinned: int = 1


def escaped(value: object) -> str:
    """Text, escaped."""
    return html.escape(str(value), quote=True)


def page(
    title: str,
    body: str,
    links: Mapping[str, str] | None = None,
    head: str = "",
    root: str = "",
    here: str = "",
) -> str:
    """A whole page.

    Args:
        title: Of the page.
        body: HTML.
        links: Navigation: words -> address.
        head: Further HTML for the head.
        root: From the page to the folder of the site.
        here: The page's own words in the navigation; empty if it is not in it.
    """
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; "
        "script-src 'self' 'unsafe-inline'"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{escaped(title)}</title><style>{STYLE}{TABLE_STYLE}{WORDS_STYLE}</style>{head}"
        f'</head><body data-root="{escaped(root)}">{navigation(links or {}, here)}'
        f'<main id="main" tabindex="-1"><h1>{escaped(title)}</h1>{body}</main></body></html>\n'
    )


def navigation(links: Mapping[str, str], here: str) -> str:
    """The way to the other pages, and past it."""
    if not links:
        return ""
    items = "".join(
        f'<a href="{escaped(to)}"{" aria-current=page" if words == here else ""}>'
        f"{escaped(words)}</a>"
        for words, to in links.items()
    )
    skip = '<a class="skip" href="#main">Skip to the content</a>'
    return f'{skip}<nav aria-label="Pages">{items}</nav>'


def table(
    records: Records,
    caption: str = "",
    links: Mapping[str, Link] | None = None,
    words: Mapping[str, tuple[str, str]] | None = None,
    sorting: Sorting | None = None,
) -> str:
    """A table.

    Args:
        records: Lines; the first one names the columns.
        caption: What it shows.
        links: Column -> where its cells lead.
        words: Column -> title and meaning, where its name is an id.
        sorting: How the site's script lets readers sort and search it; None if it does not.
    """
    if not records:
        return note("Nothing to show.")
    names = list(records[0])
    figures = {name for name in names if holds_figures(name, records)}
    head = "".join(header(name, words or {}, sorting, name in figures) for name in names)
    body = "".join(
        "<tr>" + "".join(cell(name, record, links or {}, figures) for name in names) + "</tr>"
        for record in records
    )
    said = f"<caption>{escaped(caption)}</caption>" if caption else ""
    named = escaped(caption or "Table")
    sortable = "" if sorting is None else f' data-sortable data-pinned="{sorting.pinned}"'
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{named}">'
        f"<table{sortable}>{said}<thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def holds_figures(name: str, records: Records) -> bool:
    """Whether a column holds figures and dashes alone, so that it is set to the right."""
    texts = {cell_text(record.get(name)) for record in records} - {"", UNKNOWN, "unavailable"}
    return bool(texts) and all(FIGURE.fullmatch(text) for text in texts)


def header(
    name: str,
    words: Mapping[str, tuple[str, str]],
    sorting: Sorting | None = None,
    figures: bool = False,
) -> str:
    """The head of a column: title, meaning in a tooltip, its id and its order for scripts."""
    title, meaning = column_title(name, words), words.get(name, ("", ""))[1]
    parts = [f'scope="col" data-id="{escaped(name)}"']
    if meaning:
        parts.append(f'title="{escaped(meaning)}"')
    if figures:
        parts.append("class=num")
    if sorting is not None and sorting.by == name:
        parts.append("aria-sort=ascending")
    if sorting is not None and name in sorting.high_first:
        parts.append("data-first=descending")
    return f"<th {' '.join(parts)}>{escaped(title)}</th>"


def column_title(name: str, words: Mapping[str, tuple[str, str]]) -> str:
    """The title of a column: as it is worded, else its name with a capital."""
    if name in words:
        return words[name][0]
    letters = len(name) > 1 and name[:2].isalpha()
    return name[0].upper() + name[1:] if letters else name


def meanings(records: Records, words: Mapping[str, tuple[str, str]]) -> str:
    """What the columns of a table mean, for those who have no tooltips; opens on demand."""
    names = list(records[0]) if records else []
    told = {words[name][0]: words[name][1] for name in names if words.get(name, ("", ""))[1]}
    if not told:
        return ""
    return folded("What the columns mean", definitions(told))


def definitions(told: Mapping[str, str], style: str = "meanings") -> str:
    """Words and what each of them means; of style `facts`, names and values side by side."""
    listed = "".join(f"<dt>{escaped(a)}</dt><dd>{quoted(b)}</dd>" for a, b in told.items())
    return f'<dl class="{style}">{listed}</dl>'


def folded(title: str, body: str) -> str:
    """A part that opens on demand."""
    return f"<details><summary>{escaped(title)}</summary>{body}</details>"


def cell(
    name: str,
    record: JsonView,
    links: Mapping[str, Link],
    figures: Container[str] = (),
) -> str:
    """One cell; unknown is a dash, and a paragraph is its beginning until it is opened."""
    text = cell_text(record.get(name))
    words, style = quoted(text), "num" if name in figures else cell_style(text)
    address = links[name](record) if name in links else ""
    if address:
        words = anchor(address, text)
    elif style == PROSE:
        beginning = escaped(textwrap.shorten(text, BEGINNING, placeholder=" …"))
        words = f"<details><summary>{beginning}</summary>{words}</details>"
    return f"<td class={style}>{words}</td>" if style else f"<td>{words}</td>"


def anchor(address: str, words: str) -> str:
    """A link; one that leaves the site tells nobody where its reader was."""
    outside = ' rel="noreferrer"' if address.startswith("http") else ""
    return f'<a{outside} href="{escaped(address)}">{escaped(words)}</a>'


def leading(template: str, column: str) -> Link:
    """A link made of another column of the same line."""
    return lambda record: template.format(cell_text(record[column]))


def quoted(text: str) -> str:
    """Text, escaped, with code where it has backticks."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escaped(text))


def cell_style(text: str) -> str:
    """The class of a cell, by the length of its words; none for the shortest, and for ids."""
    sizes = {PROSE: 240, "words": 60, "title": 36, "name": 16}
    if " " not in text:
        return ""
    return next((name for name, least in sizes.items() if len(text) > least), "")


def cell_text(value: object) -> str:
    """A value in words; unknown is a dash, and no number has an exponent."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    text = significant(value, 4)
    return text.rstrip("0").rstrip(".") if "." in text else text


def note(words: str) -> str:
    """A remark; nothing where there are no words."""
    return f'<p class="note">{escaped(words)}</p>' if words else ""


def section(title: str, *parts: str) -> str:
    """A headed part of a page."""
    return f"<section><h2>{escaped(title)}</h2>{''.join(parts)}</section>"


def from_markdown(text: str) -> str:
    """The little markdown that our own pages use: headings, paragraphs, bold, code, lists."""
    parts = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = escaped(block)
        lines = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", lines, flags=re.S)
        lines = re.sub(r"`(.+?)`", r"<code>\1</code>", lines, flags=re.S)
        if lines.startswith("## "):
            parts.append(f"<h2>{lines.removeprefix('## ')}</h2>")
        elif re.match(r"\d+\. ", lines):
            items = re.split(r"(?:^|\n)\d+\. ", lines)[1:]
            parts.append("<ol>" + "".join(f"<li>{item}</li>" for item in items) + "</ol>")
        else:
            parts.append(f"<p>{lines}</p>")
    return "".join(parts)
