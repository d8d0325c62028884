"""Words that the pages of a board use without saying each time what they mean."""

from __future__ import annotations

from collections.abc import Mapping

from membench.domain.labels import JsonObject
from membench.harness.divisions import OFFLINE, OPEN, pinned_divisions

TERMS: Mapping[str, str] = {
    "history": "What a system is told before it is asked: conversations, session by session.",
    "case": "One history with its questions. Questions of one case are not independent, so "
    "intervals and tests count cases.",
    "system": "What remembers: it is told a history, and recalls memories for a question.",
    "reader": "What answers a question from the memories that a system recalled.",
    "judge": "A language model that says whether an answer is right, where words alone do not.",
    "k": "How many memories a system may recall for a question: k 10 is ten.",
    "budget": "How many tokens the recalled memories may have together.",
    "protocol": "Everything that must be equal for two rows to be ranked together: questions, "
    "reader, judge, k, budget, options of the task.",
    "division": "What a run may use. Ranks exist inside one division.",
    "kind": "How close a row is to what the system's authors made.",
    "floor": "What knowing nothing of the history gives.",
    "ceiling": "What being handed the evidence gives.",
    "evidence": "The turns or sessions that hold the answer to a question, as the benchmark says.",
    "rank range": "The places a row may have: rows that cannot be told apart share them.",
    "redraw": "The same figures from cases drawn again at random, with repetition: how much they "
    "rest on which cases there happened to be.",
    "frontier": "The rows that no other row beats in score without costing more: ★ in at least "
    "half of the redraws; ☆ by the figures themselves, in fewer redraws or where none are made.",
    "gain": "How far a row lies above the frontier of the baselines.",
    "meter": "What joules were read from and around what: a counter of the machine, CPU time at "
    "declared watts, or tokens. Joules of unlike meters are not compared.",
    "attempt": "One of several runs of the same configuration; the median one stands for all.",
    "configuration": "A system with its version, parameters and models.",
}

KINDS: Mapping[str, str] = {
    "package": "its authors' own package, unchanged",
    "hosted": "its authors' own service, over the network",
    "weights": "its authors' released model",
    "native": "written here after the paper; differences are listed under Systems",
    "adapted": "written here after its authors' idea, changed to fit these tasks",
    "control": "no memory system: it shows what knowing nothing, everything or chance gives",
}
"""What each kind of row is."""


def divisions() -> dict[str, str]:
    """What each division allows."""
    return {
        OFFLINE: "no language model: a local reader, and scores that need no judge",
        **{name: lowered(made.title) for name, made in pinned_divisions().items()},
        OPEN: "whatever fits no other division",
    }


def lowered(title: str) -> str:
    """A title as a part of a sentence."""
    return title[:1].lower() + title[1:]


def term_records() -> list[JsonObject]:
    """Every word with its meaning."""
    told = dict(TERMS)
    told["division"] += " " + sentence(divisions())
    told["kind"] += " " + sentence(KINDS)
    return [{"word": word, "meaning": meaning} for word, meaning in told.items()]


def sentence(meanings: Mapping[str, str]) -> str:
    """Labels and what each says, one after the other."""
    return "; ".join(f"{name}: {words}" for name, words in meanings.items()) + "."
