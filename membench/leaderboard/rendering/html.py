"""HTML without a framework: all text is escaped, nothing is loaded from elsewhere."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence

from membench.domain.labels import JsonView

Records = Sequence[JsonView]

STYLE = """
:root { color-scheme: light dark; --line: #8885; --faint: #888; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 75rem; padding: 1rem; }
nav { display: flex; flex-wrap: wrap; gap: 1rem; padding: .5rem 0; }
nav { border-bottom: 1px solid var(--line); }
h1 { font-size: 1.8rem; } h2 { font-size: 1.3rem; margin-top: 2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
caption { text-align: left; color: var(--faint); padding: .3rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .7rem; }
th, td { text-align: left; white-space: nowrap; }
td.wide { min-width: 12rem; }
td.words { white-space: normal; min-width: 20rem; }
.bar { background: #0b6e99; height: .8rem; }
p.note { color: var(--faint); } pre { white-space: pre-wrap; }
"""


def escaped(value: object) -> str:
    """Text, escaped."""
    return html.escape(str(value), quote=True)


def page(title: str, body: str, links: Mapping[str, str] | None = None, head: str = "") -> str:
    """A whole page.

    Args:
        title: Of the page.
        body: HTML.
        links: Navigation: words -> address.
        head: Further HTML for the head.
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
        f"<title>{escaped(title)}</title><style>{STYLE}</style>{head}</head>"
        f"<body>{nav}<main><h1>{escaped(title)}</h1>{body}</main></body></html>\n"
    )


def table(records: Records, caption: str = "", links: Mapping[str, str] | None = None) -> str:
    """A table.

    Args:
        records: Lines; the first one names the columns.
        caption: What it shows.
        links: Column -> address with `{}` for the cell's words.
    """
    if not records:
        return note("Nothing to show.")
    names = list(records[0])
    head = "".join(f'<th scope="col">{escaped(name)}</th>' for name in names)
    body = "".join(
        "<tr>" + "".join(cell(name, record.get(name), links or {}) for name in names) + "</tr>"
        for record in records
    )
    words = f"<caption>{escaped(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table>{words}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def cell(name: str, value: object, links: Mapping[str, str]) -> str:
    """One cell; unknown is a dash."""
    text = "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    words = escaped(text)
    if name in links and value:
        words = f'<a href="{escaped(links[name].format(text))}">{words}</a>'
    return f"<td{' class=words' if len(text) > 60 else ''}>{words}</td>"


def note(words: str) -> str:
    """A remark."""
    return f'<p class="note">{escaped(words)}</p>'


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
    return f'<div class="scroll"><table><caption>{escaped(caption)}</caption>{rows}</table></div>'


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
