"""The folder of the static site: pages with their navigation, data files, downloads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from membench.domain.labels import JsonObject, JsonView
from membench.leaderboard.rendering import html
from membench.leaderboard.rendering.cards import CARD_STYLE
from membench.leaderboard.rendering.standing import STANDING_STYLE
from membench.leaderboard.site.data import script_of
from membench.leaderboard.store.index import Index
from membench.leaderboard.store.store import Store
from membench.leaderboard.views.tables import to_csv, to_json

SCRIPTS = ("site.js", "tables.js")
LINKS = {
    "Leaderboard": "index.html",
    "Compare": "compare.html",
    "Question": "question.html",
    "Runs": "runs.html",
    "Systems": "systems.html",
    "Profiles": "profiles.html",
    "Tasks": "tasks.html",
    "Published claims": "claims.html",
    "Glossary": "glossary.html",
    "Method": "method.html",
    "Submit": "submit.html",
}


@dataclass(frozen=True)
class SiteFolder:
    """Where the site goes and what it is made of."""

    root: Path
    store: Store
    index: Index

    def write(self, name: str, text: str) -> None:
        """Write one file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def page(self, name: str, title: str, body: str) -> None:
        """Write one page; pages in a folder point one up."""
        up = "../" * name.count("/")
        head = f"<style>{CARD_STYLE}{STANDING_STYLE}</style>"
        head += "".join(f'<script src="{up}assets/{script}"></script>' for script in SCRIPTS)
        links = {words: up + to for words, to in LINKS.items()}
        here = next((words for words, to in LINKS.items() if to == name), "")
        self.write(name, html.page(title, body, links, head, up, here))

    def data(self, name: str, value: JsonObject | list[JsonObject]) -> None:
        """Write one data file for the scripts of the pages."""
        self.write(f"data/{name}.js", script_of(name, value))

    def downloads(self, name: str, records: Sequence[JsonView], up: str = "") -> str:
        """Write a table as CSV and JSON, and link both.

        Args:
            name: Of the files.
            records: The table.
            up: From the page to the folder of the site.
        """
        if not records:
            return ""
        self.write(f"data/{name}.csv", to_csv(records))
        self.write(f"data/{name}.json", to_json(records))
        return download_links(up, {"CSV": f"{name}.csv", "JSON": f"{name}.json"})

    def json(self, name: str, value: JsonObject) -> None:
        """Write one file of data for people's own programs."""
        self.write(f"data/{name}", json.dumps(value, ensure_ascii=False, indent=1))


def download_links(up: str, files: dict[str, str]) -> str:
    """Links to files of `data/`, by what they are called."""
    links = ", ".join(
        f'<a href="{html.escaped(f"{up}data/{file}")}" download>{html.escaped(words)}</a>'
        for words, file in files.items()
    )
    return f'<p class="downloads">Download: {links}</p>'
