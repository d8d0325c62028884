"""The answer of a board and its rows as cards: small HTML that app and static site share."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from membench.domain.labels import JsonView
from membench.leaderboard.rendering.html import (
    Link,
    Sorting,
    anchor,
    cell_text,
    column_title,
    escaped,
    folded,
    meanings,
    quoted,
    table,
)
from membench.leaderboard.views.answer import Finding, findings, silence
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.board.row import BoardRow
from membench.leaderboard.views.tables import (
    BADGES,
    answer_words,
    context_text,
    cost_figure,
    energy_badge,
    frontier_text,
    rank_text,
    scored_text,
)
from membench.records.costs import COSTS

MOST_CARDS = 30
"""Cards of a board that are shown before one asks for more."""

CARD_STYLE = """
.mb-answer { font-size: 1.1rem; line-height: 1.4; margin: 0 0 .4rem; }
.mb-answer p { margin: 0 0 .2rem; }
.mb-answer .mb-less { font-size: 1rem; }
.mb-answer .mb-less strong { font-weight: 500; }
@media (max-width: 640px) { .mb-answer, .mb-answer .mb-less { font-size: .95rem; } }
ul.mb-cards { list-style: none; margin: 0; padding: 0; }
ul.mb-cards > li { border: 1px solid rgba(128, 134, 145, .45); border-radius: .5rem;
  padding: .55rem .75rem !important; margin: 0 0 .5rem !important; }
.mb-cards .mb-name { font-weight: 600; overflow-wrap: anywhere; }
.mb-cards .mb-rank { float: right; margin-left: .5rem; opacity: .85; }
.mb-cards dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem .75rem;
  margin: .3rem 0 0 !important; padding: 0; }
.mb-cards dt { opacity: .85; margin: 0 !important; padding: 0; text-align: left; }
.mb-cards dd { margin: 0 !important; padding: 0; font-weight: 600; }
.mb-cards dd { overflow-wrap: anywhere; }
.mb-cards .mb-range { font-weight: 400; font-size: .9rem; white-space: nowrap; }
.mb-cards a { overflow-wrap: anywhere; }
.mb-plain dd { font-weight: 400; }
.mb-cards small { opacity: .85; }
.mb-cards summary { cursor: pointer; padding: .3rem 0; }
"""

Address = Callable[[str], str]
"""From a run id to the address of its page."""


def answer_html(board: Board, address: Address) -> str:
    """The best system and the best for less, in sentences."""
    found = findings(board)
    if not found:
        return f'<div class="mb-answer"><p>{escaped(silence(board))}</p></div>'
    first, *others = found
    less = " ".join(sentence(item, address) for item in others)
    more = f'<p class="mb-less">{less}</p>' if less else ""
    return f'<div class="mb-answer"><p>{sentence(first, address)}</p>{more}</div>'


def sentence(item: Finding, address: Address) -> str:
    """One finding, with a link to its run."""
    note = f" ({escaped(item.note)})" if item.note else ""
    at = f" at {escaped(item.cost)}" if item.cost else ""
    link = f'<a href="{escaped(address(item.run_id))}" target="_self">{escaped(item.label)}</a>'
    score = f"<strong>{escaped(item.score)}</strong>"
    return f"{escaped(item.intro)}: <strong>{link}</strong>, {score}{at}{note}."


def cards_html(board: Board, address: Address, rows: Sequence[BoardRow] | None = None) -> str:
    """Rows as cards: name, rank, score and cost of each, for narrow screens."""
    shown = board.rows if rows is None else rows
    items = [card(row, board, address) for row in shown]
    return listed(items, MOST_CARDS, "mb-cards")


def listed(items: Sequence[str], most: int, style: str) -> str:
    """Cards: the first ones, and the rest on demand."""
    first, rest = items[:most], items[most:]
    shown = f'<ul class="{style}">{"".join(first)}</ul>'
    if rest:
        shown += folded(f"{len(rest)} more", f'<ul class="{style}">{"".join(rest)}</ul>')
    return shown


SHOWN_AT_ONCE, FIELDS_AT_ONCE = 12, 8
"""Cards of a plain table, and fields of one, that are shown before one asks for more."""

MOST_LISTED = 200
"""Cards of a plain table; the rest is in its downloads."""


Words = Mapping[str, tuple[str, str]]
"""Column -> title and meaning."""


def any_width(
    records: Sequence[JsonView],
    caption: str,
    words: Words | None = None,
    links: Mapping[str, Link] | None = None,
    sorting: Sorting | None = Sorting(),  # noqa: B008  (frozen)
) -> str:
    """A table that can be sorted and searched, and the same as cards for narrow screens."""
    wide = table(records, caption, links, words, sorting)
    return (
        f'<div class="wide-only">{wide}</div>'
        f'<div class="narrow">{record_cards(records, words, links)}</div>'
        + meanings(records, words or {})
    )


def record_cards(
    records: Sequence[JsonView],
    words: Words | None = None,
    links: Mapping[str, Link] | None = None,
) -> str:
    """Any table as cards for narrow screens: the first column is the title, the rest follows."""
    items = [record_card(record, words or {}, links or {}) for record in records[:MOST_LISTED]]
    shown = listed(items, SHOWN_AT_ONCE, "mb-cards mb-plain")
    if len(records) > MOST_LISTED:
        shown += f"<p>The first {MOST_LISTED} of {len(records):,}; the downloads hold all.</p>"
    return shown


def record_card(record: JsonView, words: Words, links: Mapping[str, Link]) -> str:
    """One line of a table; what it says nothing about is left out."""
    column, first = next(iter(record.items()))
    title = value_html(column, record, links)
    if not isinstance(first, str):
        title = f"{escaped(column_title(column, words))} {title}"
    fields = [
        f"<dt>{escaped(column_title(name, words))}</dt><dd>{value_html(name, record, links)}</dd>"
        for name in list(record)[1:]
        if cell_text(record[name]) not in ("", "–")
    ]
    shown, hidden = fields[:FIELDS_AT_ONCE], fields[FIELDS_AT_ONCE:]
    said = "1 more field" if len(hidden) == 1 else f"{len(hidden)} more fields"
    more = folded(said, f"<dl>{''.join(hidden)}</dl>") if hidden else ""
    return f'<li><span class="mb-name">{title}</span><dl>{"".join(shown)}</dl>{more}</li>'


def value_html(name: str, record: JsonView, links: Mapping[str, Link]) -> str:
    """A field of a card, with the link that its column has."""
    text = cell_text(record[name])
    address = links[name](record) if name in links else ""
    return anchor(address, text) if address else quoted(text)


def card(row: BoardRow, board: Board, address: Address) -> str:
    """One row."""
    words = board.choice.words
    rank = f'<span class="mb-rank">rank {escaped(rank_text(row))}</span>' if row.rank else ""
    signs = [BADGES.get(row.badge, row.badge), f"energy {energy_badge(row)}"]
    if front := frontier_text(row):
        signs.append(f"frontier {front}")
    if row.why:
        signs.append(f"not ranked: {row.why}")
    link = f'<a href="{escaped(address(row.run_id))}" target="_self">{escaped(row.label)}</a>'
    figures = [(words.title, scored_text(board.choice.metric, row.score))]
    if board.answer and row.answer is not None:
        figures.append(
            (answer_words(board)[board.answer][0], scored_text(board.answer, row.answer))
        )
    cost = board.choice.cost
    figures.append((f"{cost.title} / {cost.per('question')}", cost_figure(row, board)))
    if board.choice.axis != "context_tokens" and row.context is not None:
        figures.append((COSTS["context_tokens"].title, context_text(row)))
    figures.append(("Questions", f"{row.questions:,}"))
    fields = "".join(f"<dt>{escaped(a)}</dt><dd>{figure_html(b)}</dd>" for a, b in figures)
    return (
        f'<li>{rank}<span class="mb-name">{link}</span><dl>{fields}</dl>'
        f"<small>{escaped(' · '.join(signs))}</small></li>"
    )


def figure_html(figure: str) -> str:
    """A figure, its interval set lighter and torn apart by no line break."""
    kept = re.sub(r"\d %", lambda found: found[0].replace(" ", "\u00a0"), escaped(figure))
    return re.sub(r"\[[^\]]*\]", r'<span class="mb-range">\g<0></span>', kept)
