"""Systems, tasks and published claims as tables: titles of columns, links, scores in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from membench.domain.labels import JsonObject, JsonView
from membench.leaderboard.rendering.html import Link
from membench.tasks.card import TaskCard
from membench.tasks.registry import list_tasks
from membench.tasks.wording import metric_words

ARXIV = re.compile(r"(?:arXiv[: ]?)?(\d{4}\.\d{4,5})(?:v\d+)?", re.IGNORECASE)
STORED = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{7,40}):(.+)")
"""A place in a public repository: owner/repository@commit:path."""
URL = re.compile(r"https?://[^\s;,)]+")

SYSTEM_WORDS = {
    "what": ("What it does", "In one sentence, from the system's card."),
    "kind": ("Kind", "How close it is to the original: the package itself, native, control."),
    "rows": ("Runs", "Runs of it on this board."),
    "granularity": ("A memory is", "The unit that it stores."),
    "models": ("Models", "Kinds of models that it calls at its defaults."),
}
TASK_WORDS = {
    "measures": ("Measures", "What its main score counts."),
    "without a judge": ("Without a judge", "What rows are sorted by where nobody judged answers."),
    "rows": ("Runs", "Runs of it on this board."),
    "answers in bundles": ("Answers in bundles", "Whether its licence lets answers be passed on."),
}
CLAIM_WORDS = {
    "system_printed": ("System", "As printed."),
    "category_printed": ("Category", "As printed."),
    "category_id": ("Category id", "The benchmark's own id of that category."),
    "run_by": ("Run by", "Who ran it, as far as the source says."),
}

PUBLISHED_WORDS = {
    "run_by": ("Run by", "Who ran it, as far as the source says."),
    "reader": ("Reader", "The model that answered, as far as the source says."),
    "judge": ("Judge", "The model whose verdicts came with the answers, as far as it says."),
    "claimed": ("Printed", "What was printed of these answers, in the source's words."),
    "answers": ("Answers", "Questions that the scores rest on."),
    "file": ("File", "Where the answers were published: repository, commit and path."),
}


def address_in(text: str) -> str:
    """Where a source leads: a paper on arXiv or a web address; empty for anything else."""
    if found := URL.search(text):
        return found[0].rstrip(".")
    paper = ARXIV.search(text)
    return f"https://arxiv.org/abs/{paper[1]}" if paper else ""


def source_link(column: str) -> Link:
    """A link to the paper or page that a column names."""
    return lambda record: address_in(str(record[column]))


def repository_link(column: str) -> Link:
    """A link to the file or folder of a public repository that a column names."""

    def link(record: JsonView) -> str:
        found = STORED.fullmatch(str(record[column]))
        if found is None:
            return address_in(str(record[column]))
        repository, commit, path = found.groups()
        one = not path.endswith("/") and " " not in path
        return f"https://github.com/{repository}/" + (
            f"blob/{commit}/{quote(path)}" if one else f"tree/{commit}"
        )

    return link


def runs_link(column: str) -> Link:
    """From a count of runs to the list of them, by what another column says."""
    return lambda record: f"runs.html?contains={quote(record[column])}" if record["rows"] else ""


def task_lines(records: Sequence[JsonView]) -> list[JsonObject]:
    """Tasks with what they measure in words, title first."""
    cards = list_tasks()
    return [task_line(record, cards[record["task"]]) for record in records]


def task_line(record: JsonView, card: TaskCard) -> JsonObject:
    """One task."""
    main, offline = (metric_words(card, name) for name in (card.main_metric, card.offline_metric))
    told = {
        "title": record["title"],
        "measures": f"{main.title}: {main.meaning}; {main.direction}.",
        "without a judge": f"{offline.title}: {offline.meaning}."
        if offline.name != main.name
        else "the same",
    }
    rest = {name: value for name, value in record.items() if name not in ("title", "ranked by")}
    return {**told, **rest}
