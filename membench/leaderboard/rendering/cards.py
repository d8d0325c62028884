"""The answer of a board and its rows as cards: small HTML that app and static site share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from membench.domain.labels import JsonView
from membench.leaderboard.rendering.html import cell_text, escaped
from membench.leaderboard.views.answer import Finding, findings, silence
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.board.row import BoardRow
from membench.leaderboard.views.tables import (
    BADGES,
    context_text,
    cost_figure,
    energy_badge,
    frontier_text,
    rank_text,
    scored_text,
)
from membench.records.costs import COSTS

MOST_CARDS = 30

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
    items = "".join(card(row, board, address) for row in shown[:MOST_CARDS])
    more = len(shown) - MOST_CARDS
    rest = f"<p>{more} more rows: narrow them down with the filters.</p>" if more > 0 else ""
    return f'<ul class="mb-cards">{items}</ul>{rest}'


SHOWN_AT_ONCE, FIELDS_AT_ONCE = 12, 8
"""Cards of a plain table, and fields of one, that are shown before one asks for more."""

MOST_LISTED = 200
"""Cards of a plain table; the rest is in its downloads."""


def record_cards(
    records: Sequence[JsonView], words: Mapping[str, tuple[str, str]] | None = None
) -> str:
    """Any table as cards for narrow screens: the first column is the title, the rest follows."""
    items = [record_card(record, words or {}) for record in records[:MOST_LISTED]]
    first, rest = items[:SHOWN_AT_ONCE], items[SHOWN_AT_ONCE:]
    shown = f'<ul class="mb-cards mb-plain">{"".join(first)}</ul>'
    if rest:
        shown += (
            f"<details><summary>{len(rest)} more</summary>"
            f'<ul class="mb-cards mb-plain">{"".join(rest)}</ul></details>'
        )
    if len(records) > MOST_LISTED:
        shown += f"<p>The first {MOST_LISTED} of {len(records):,}; the downloads hold all.</p>"
    return shown


def record_card(record: JsonView, words: Mapping[str, tuple[str, str]]) -> str:
    """One line of a table; what it says nothing about is left out."""
    (column, first), *rest = record.items()
    title = cell_text(first)
    if not isinstance(first, str):
        title = f"{words.get(column, (column, ''))[0]} {title}"
    fields = [
        f"<dt>{escaped(words.get(name, (name, ''))[0])}</dt><dd>{escaped(cell_text(value))}</dd>"
        for name, value in rest
        if cell_text(value) not in ("", "–")
    ]
    shown, folded = fields[:FIELDS_AT_ONCE], fields[FIELDS_AT_ONCE:]
    fields_said = "1 more field" if len(folded) == 1 else f"{len(folded)} more fields"
    more = (
        f"<details><summary>{fields_said}</summary><dl>{''.join(folded)}</dl></details>"
        if folded
        else ""
    )
    return f'<li><span class="mb-name">{escaped(title)}</span><dl>{"".join(shown)}</dl>{more}</li>'


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
    cost = board.choice.cost
    per_question = cost_figure(row, board, interval=False)
    figures.append((f"{cost.title} / {cost.per('question')}", per_question))
    if board.choice.axis != "context_tokens" and row.context is not None:
        figures.append((COSTS["context_tokens"].title, context_text(row)))
    listed = "".join(f"<dt>{escaped(a)}</dt><dd>{escaped(b)}</dd>" for a, b in figures)
    return (
        f'<li>{rank}<span class="mb-name">{link}</span><dl>{listed}</dl>'
        f"<small>{escaped(' · '.join(signs))}</small></li>"
    )
