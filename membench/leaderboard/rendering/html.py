"""HTML without a framework: all text is escaped, nothing is loaded from elsewhere."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Mapping, Sequence

from membench.domain.labels import JsonView

Records = Sequence[JsonView]

WORDS_STYLE = """
td.title { white-space: normal !important; min-width: 14rem; }
td.words { white-space: normal !important; min-width: 20rem; }
td.prose { white-space: normal !important; min-width: 24rem; }
td.prose details[open] { min-width: 36rem; } td.prose summary { padding: 0; }
@media (max-width: 640px) { td.words, td.prose, td.prose details[open] { min-width: 14rem; } }
"""
"""Of cells with a long title, a sentence or a paragraph."""

PROSE = "prose"
BEGINNING = 60
"""Characters of a paragraph that a table shows."""

STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d5d8de, #43474f);
  --faint: light-dark(#555b66, #b2b7c1); --ground: light-dark(#f4f5f7, #23262b); }
:root[data-theme=light] { color-scheme: light; } :root[data-theme=dark] { color-scheme: dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 80rem; padding: .6rem 1rem;
  background: light-dark(#fff, #16181c); color: light-dark(#1d2026, #e8eaee); }
a { color: light-dark(#075985, #7cc4ee); }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1rem; padding: .3rem 0; align-items: center; }
nav { border-bottom: 1px solid var(--line); }
nav button { margin-left: auto; }
button, select { font: inherit; padding: .2rem .6rem; border: 1px solid var(--line);
  border-radius: .4rem; background: var(--ground); color: inherit; max-width: 100%; }
.unit select { max-width: 14rem; }
h1 { font-size: 1.5rem; margin: .6rem 0; } h2 { font-size: 1.2rem; margin-top: 1.6rem; }
.scroll { overflow-x: auto; max-width: 100%; }
.pickers, .chips { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
.pickers label { max-width: 100%; min-width: 0; }
.chips a, .chips strong { border: 1px solid var(--line); border-radius: .5rem;
  padding: .15rem .6rem; text-decoration: none; }
.chips strong { background: var(--ground); }
table { border-collapse: collapse; font-size: .9rem; }
caption { text-align: left; color: var(--faint); padding: .3rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .7rem; }
th, td { text-align: left; white-space: nowrap; }
th button { border: 0; padding: 0; background: none; font-weight: inherit; cursor: pointer; }
.unit { display: block; margin: .2rem 0; }
tr[hidden] { display: none; }
.search { display: block; margin: .6rem 0; }
input { font: inherit; padding: .2rem .6rem; border: 1px solid var(--line); border-radius: .4rem;
  background: var(--ground); color: inherit; max-width: 100%; box-sizing: border-box; }
td.wide { min-width: 12rem; }
td { vertical-align: top; }
.bar { background: #0b78a8; height: .8rem; }
h2, summary, caption, p, dd { overflow-wrap: anywhere; }
p.note { color: var(--faint); } pre { white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; padding: .2rem 0; }
.narrow { display: none; }
.chips { flex-wrap: nowrap; overflow-x: auto; white-space: nowrap; padding-bottom: .3rem; }
@media (max-width: 640px) {
  .narrow { display: block; } .wide-only, .modebar-container { display: none; }
  td:first-child { white-space: normal; }
  td.name:first-child, td.title:first-child { min-width: 10rem; }
  body { padding: .4rem .7rem; } h1 { font-size: 1.2rem; margin: .4rem 0; }
  nav { flex-wrap: nowrap; overflow-x: auto; white-space: nowrap; gap: .9rem; font-size: .95rem; }
}
"""


def escaped(value: object) -> str:
    """Text, escaped."""
    return html.escape(str(value), quote=True)


def page(
    title: str,
    body: str,
    links: Mapping[str, str] | None = None,
    head: str = "",
    root: str = "",
) -> str:
    """A whole page.

    Args:
        title: Of the page.
        body: HTML.
        links: Navigation: words -> address.
        head: Further HTML for the head.
        root: From the page to the folder of the site.
    """
    items = "".join(f'<a href="{escaped(to)}">{escaped(w)}</a>' for w, to in (links or {}).items())
    nav = f'<nav aria-label="Pages">{items}</nav>' if items else ""
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; "
        "script-src 'self' 'unsafe-inline'"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{escaped(title)}</title><style>{STYLE}{WORDS_STYLE}</style>{head}</head>"
        f'<body data-root="{escaped(root)}">{nav}<main>'
        f"<h1>{escaped(title)}</h1>{body}</main></body></html>\n"
    )


def table(
    records: Records,
    caption: str = "",
    links: Mapping[str, tuple[str, str]] | None = None,
    words: Mapping[str, tuple[str, str]] | None = None,
    *,
    sortable: bool = False,
) -> str:
    """A table.

    Args:
        records: Lines; the first one names the columns.
        caption: What it shows.
        links: Column -> address with `{}`, and the column whose words go there.
        words: Column -> title and meaning, where its name is an id.
        sortable: Whether the site's script lets readers sort and search it.
    """
    if not records:
        return note("Nothing to show.")
    names = list(records[0])
    head = "".join(header(name, *(words or {}).get(name, (name, ""))) for name in names)
    body = "".join(
        "<tr>" + "".join(cell(name, record, links or {}) for name in names) + "</tr>"
        for record in records
    )
    said = f"<caption>{escaped(caption)}</caption>" if caption else ""
    named = escaped(caption or "Table")
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{named}">'
        f"<table{' data-sortable' if sortable else ''}>{said}<thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def header(name: str, title: str, meaning: str) -> str:
    """The head of a column: its title, its meaning in a tooltip, its id for scripts."""
    tooltip = f' title="{escaped(meaning)}"' if meaning else ""
    return f'<th scope="col" data-id="{escaped(name)}"{tooltip}>{escaped(title)}</th>'


def cell(name: str, record: JsonView, links: Mapping[str, tuple[str, str]]) -> str:
    """One cell; unknown is a dash, and a paragraph is its beginning until it is opened."""
    text = cell_text(record.get(name))
    words, style = escaped(text), cell_style(text)
    if name in links:
        address, target = links[name]
        words = f'<a href="{escaped(address.format(cell_text(record[target])))}">{words}</a>'
    elif style == PROSE:
        beginning = escaped(textwrap.shorten(text, BEGINNING, placeholder=" …"))
        words = f"<details><summary>{beginning}</summary>{words}</details>"
    return f"<td class={style}>{words}</td>" if style else f"<td>{words}</td>"


def cell_style(text: str) -> str:
    """The class of a cell, by the length of its words; none for the shortest, and for ids."""
    sizes = {PROSE: 240, "words": 60, "title": 36, "name": 16}
    if " " not in text:
        return ""
    return next((name for name, least in sizes.items() if len(text) > least), "")


def cell_text(value: object) -> str:
    """A value in words; unknown is a dash."""
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def note(words: str) -> str:
    """A remark; nothing where there are no words."""
    return f'<p class="note">{escaped(words)}</p>' if words else ""


def section(title: str, *parts: str) -> str:
    """A headed part of a page."""
    return f"<section><h2>{escaped(title)}</h2>{''.join(parts)}</section>"


def bars(values: Mapping[str, float], caption: str) -> str:
    """Fractions as horizontal bars with their labels."""
    rows = "".join(
        f'<tr><th scope="row">{escaped(name)}</th><td>{100 * value:.1f} %</td>'
        f'<td class="wide"><div class="bar" style="width:{100 * value:.1f}%"></div></td></tr>'
        for name, value in values.items()
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escaped(caption)}">'
        f"<table><caption>{escaped(caption)}</caption>{rows}</table></div>"
    )


def from_markdown(text: str) -> str:
    """The little markdown that our own pages use: paragraphs, bold, code, lists."""
    parts = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = escaped(block)
        lines = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", lines, flags=re.S)
        lines = re.sub(r"`(.+?)`", r"<code>\1</code>", lines, flags=re.S)
        if re.match(r"\d+\. ", lines):
            items = re.split(r"(?:^|\n)\d+\. ", lines)[1:]
            parts.append("<ol>" + "".join(f"<li>{item}</li>" for item in items) + "</ol>")
        else:
            parts.append(f"<p>{lines}</p>")
    return "".join(parts)
