"""The Question page: one question, every system's memories and answers side by side.

The words of question, gold and memories are the dataset's: they are shown where this machine has
the data, and never put into a bundle or an export. A memory that is a turn of the data is
recognised by its hash; the words of others are in the run's own directory (`own_run`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from membench.domain.case import Ask, Case, opaque_ids
from membench.domain.errors import UserError
from membench.domain.labels import JsonObject, JsonView, Scalar
from membench.domain.score import Gold, Score
from membench.leaderboard.bundles import layout
from membench.leaderboard.store.rows import label as label_of
from membench.leaderboard.store.store import Store
from membench.leaderboard.views.bundles import LoadedBundle, load
from membench.leaderboard.views.model_calls import QuestionCalls, call_entries
from membench.leaderboard.views.own_run import with_own_texts
from membench.leaderboard.views.question_work import CallLine, call_lines, evidence_events
from membench.tasks.files.source import Source
from membench.tasks.find import find_source
from membench.tasks.registry import get_task
from membench.tasks.wording import metric_words

WITHHELD = "(text not published)"


@dataclass(frozen=True)
class RecalledLine:
    """One recalled memory.

    Attributes:
        rank: From 1.
        sources: Turn ids it came from.
        evidence: Whether one of them supports the answer; None without gold.
        tokens: Its length.
        text: Its words where they can be had.
    """

    rank: int
    sources: tuple[str, ...]
    evidence: bool | None
    tokens: int
    text: str


@dataclass(frozen=True)
class AttemptView:
    """What one run made of the question.

    Attributes:
        run_id: The run.
        label: Its system.
        score: Its score row.
        answers: Answers in words where they can be had.
        recalled: Memories in rank order.
        verdicts: What judges said, by request id.
        stored: Memories that came from the evidence, recalled or not; empty without data.
        calls: Model calls of the question and of the ingestion of its evidence, counted by role.
        each_call: The same one by one; None where the run's own directory is not at hand.
        note: Why texts are shown that must not be passed on; empty where none are.
    """

    run_id: str
    label: str
    score: Score
    answers: tuple[str, ...]
    recalled: tuple[RecalledLine, ...]
    verdicts: Mapping[str, str]
    stored: tuple[RecalledLine, ...]
    calls: tuple[CallLine, ...]
    each_call: QuestionCalls | None = None
    note: str = ""


@dataclass(frozen=True)
class QuestionPage:
    """The page.

    Attributes:
        task: The task.
        question_id: The question.
        category: Its category.
        text: Its words; None where the data is not at hand.
        now: The dataset's clock.
        gold: The gold answer, likewise.
        evidence: Turn ids that support it.
        evidence_texts: Their words.
        runs: What each run made of it.
    """

    task: str
    question_id: str
    category: str
    text: str | None
    now: str | None
    gold: str | None
    evidence: tuple[str, ...]
    evidence_texts: Mapping[str, str]
    runs: tuple[AttemptView, ...]


def question_page(
    store: Store,
    run_ids: Sequence[str],
    question_id: str,
    data: Path | None = None,
    *,
    show_text: bool = True,
    folder: Path | None = None,
) -> QuestionPage:
    """One question through the eyes of several runs.

    Args:
        store: The store.
        run_ids: Runs over the same data.
        question_id: The question.
        data: Benchmark data of this machine.
        show_text: Whether the dataset's words may be shown here: to nobody but this machine's user.
        folder: Run directories of this machine, which have every text and model call.

    Raises:
        UserError: No run has the question.
    """
    bundles = {run: load(store, run) for run in run_ids}
    found = {run: row_of(bundle, question_id) for run, bundle in bundles.items()}
    there = {run: row for run, row in found.items() if row is not None}
    if not there:
        raise UserError(f"no run here has the question '{question_id}'", "Pick one from a run.")
    head = next(iter(there))
    known = the_case(bundles[head], there[head].case_id, data) if show_text else None
    runs = tuple(
        attempted(bundles[run], row, known[0] if known else None, evidence_of(known, row))
        for run, row in there.items()
    )
    if known is not None and folder is not None:
        runs = tuple(with_own_texts(folder, run, known) for run in runs)
    return filled(bundles[head].summary.task, there[head], known, runs)


def filled(
    task: str, row: Score, known: tuple[Case, Gold] | None, runs: tuple[AttemptView, ...]
) -> QuestionPage:
    """The page with what the data says of the question."""
    question_id, category = row.item_id, row.category or ""
    if known is None or row.event is None:
        return QuestionPage(task, question_id, category, None, None, None, (), {}, runs)
    case, gold = known
    asked, answer = case.timeline[row.event], gold.questions[row.event]
    assert isinstance(asked, Ask)
    turns = case.turns()
    texts = {turn: turns[turn].text for turn in answer.evidence if turn in turns}
    now = asked.question.now.isoformat() if asked.question.now else None
    words = asked.question.text
    return QuestionPage(
        task, question_id, category, words, now, answer.answer, answer.evidence, texts, runs
    )


def row_of(bundle: LoadedBundle, question_id: str) -> Score | None:
    """A run's score row of a question."""
    return next(
        (r for r in bundle.rows() if r.kind == "question" and r.item_id == question_id), None
    )


def evidence_of(known: tuple[Case, Gold] | None, row: Score) -> frozenset[str] | None:
    """Turn ids that support the answer; None without data."""
    if known is None or row.event is None:
        return None
    return frozenset(known[1].questions[row.event].evidence)


def attempted(
    bundle: LoadedBundle, row: Score, case: Case | None, evidence: frozenset[str] | None
) -> AttemptView:
    """What one run made of a question."""
    opaque = opaque_ids(bundle.summary.task, bundle.manifest.spec.seed)(row.case_id)
    texts = last_attempt(bundle, layout.TEXTS, opaque)
    memories = {line["n"]: line for line in texts}
    played = last_attempt(bundle, layout.PLAY, opaque)
    answered = last_attempt(bundle, layout.ANSWERS, opaque)
    play, said = one(played, row.event), one(answered, row.event)
    words = turn_words(case)
    numbers = play["content"].get("memories") or () if play else ()
    recalled = tuple(
        recalled_line(rank, memories[n], words, evidence)
        for rank, n in enumerate(numbers, start=1)
        if n in memories
    )
    stored = tuple(
        recalled_line(n, memory, words, evidence)
        for n, memory in memories.items()
        if evidence and evidence & set(memory["sources"])
    )
    journal = [line for line in (*played, *answered) if "telemetry" in line]
    asked = -1 if row.event is None else row.event
    calls = call_lines(journal, evidence_events(case, evidence), asked)
    answers = tuple(answer_words(a, case) for a in said["content"]["answers"]) if said else ()
    return AttemptView(
        bundle.manifest.run_id,
        label_of(bundle.manifest),
        row,
        answers,
        recalled,
        verdicts_of(bundle, row.item_id),
        stored,
        tuple(calls),
    )


def last_attempt(bundle: LoadedBundle, name: str, case: str) -> list[JsonObject]:
    """Lines of a case's last attempt."""
    mine = [line for line in bundle.lines(name) if line.get("case") == case]
    last = max((line["attempt"] for line in mine), default=0)
    return [line for line in mine if line["attempt"] == last]


def one(lines: Sequence[JsonObject], event: int | None) -> JsonObject | None:
    """The line of an event."""
    return next((line for line in lines if line["event"] == event), None)


def turn_words(case: Case | None) -> dict[str, str]:
    """Texts of the turns of a case by their hash."""
    turns = case.turns().values() if case else ()
    return {hashlib.sha256(turn.text.encode()).hexdigest(): turn.text for turn in turns}


def recalled_line(
    rank: int,
    memory: JsonView,
    words: Mapping[str, str],
    evidence: frozenset[str] | None,
) -> RecalledLine:
    """The text of a memory, where it is a turn's."""
    sources = tuple(memory["sources"])
    hit = None if evidence is None else bool(evidence & set(sources))
    text = words.get(memory["sha256"], WITHHELD)
    return RecalledLine(rank, sources, hit, memory["tokens"], text)


def answer_words(answer: JsonView, case: Case | None) -> str:
    """The text of an answer, where the bundle and the data give it."""
    if answer["status"] != "ok":
        return f"failed: {answer.get('reason')}"
    if "text" in answer:
        return str(answer["text"])
    if "parts" not in answer:
        return f"(free answer, sha256 {answer['sha256'][:12]}…)"
    turns = case.turns() if case else {}
    return "".join(part_words(part, turns) for part in answer["parts"])


def part_words(part: JsonView, turns: JsonView) -> str:
    """The text of one part."""
    if "generated" in part:
        return str(part["generated"])
    if "turn" in part:
        turn = turns.get(part["turn"])
        where = f"[{part['turn']}, {part['start']}–{part['end']}]"
        return turn.text[part["start"] : part["end"]] if turn else where
    return f"[memory {part['memory']}, {part['start']}–{part['end']}]"


def verdicts_of(bundle: LoadedBundle, question_id: str) -> dict[str, str]:
    """Verdicts on a question."""
    found = {}
    for name in sorted(bundle.opened.stored):
        if layout.VERDICTS.fullmatch(name):
            for line in bundle.lines(name):
                if line["request"].startswith(f"{question_id}:"):
                    values = line.get("values") or {"reason": line.get("reason")}
                    found[line["request"]] = ", ".join(f"{k} {v}" for k, v in values.items())
    return found


def the_case(bundle: LoadedBundle, case_id: str, data: Path | None) -> tuple[Case, Gold] | None:
    """The case with its gold from this machine's data; None where it has none."""
    task, spec = bundle.manifest.task, bundle.manifest.spec
    try:
        task_type = get_task(task.name)
        source = find_source(task_type, task.split, data)
        if task_type.identify(source).sha256 != task.dataset_sha256:
            return None
        options = tuple(sorted(spec.task_set.items()))
        return cases_of(task.name, source, options, spec.seed).get(case_id)
    except UserError:
        return None


@lru_cache(maxsize=2)
def cases_of(
    name: str, source: Source, options: tuple[tuple[str, Scalar], ...], seed: int
) -> dict[str, tuple[Case, Gold]]:
    """Every case of a file by its official id."""
    task = get_task(name)(dict(options), seed)
    return {gold.case_id: (case, gold) for case, gold in task.cases(source, opaque_ids(name, seed))}


def recalled_records(run: AttemptView) -> list[JsonObject]:
    """Recalled memories as a table."""
    return [
        {
            "rank": line.rank,
            "evidence": "" if not line.evidence else "✓ yes",
            "text": line.text,
            "sources": ", ".join(line.sources) or "–",
            "tokens": line.tokens,
        }
        for line in run.recalled
    ]


def stored_records(run: AttemptView) -> list[JsonObject]:
    """Memories from the evidence as a table; what was never recalled has no text in a bundle."""
    recalled = {line.sources: line.rank for line in reversed(run.recalled)}
    return [
        {
            "memory": line.rank,
            "sources": ", ".join(line.sources),
            "recalled at": recalled.get(line.sources, "–"),
            "tokens": line.tokens,
            "text": line.text,
        }
        for line in run.stored
    ]


def call_records(run: AttemptView) -> list[JsonObject]:
    """Model calls as a table."""
    return [
        {
            "event": line.event,
            "phase": line.phase,
            "role": line.role or "no model",
            "calls": line.calls,
            "prompt tokens": line.prompt_tokens,
            "completion tokens": line.completion_tokens,
            "embedding tokens": line.embedding_tokens,
            "event took (ms)": round(line.milliseconds, 3),
        }
        for line in run.calls
    ]


def each_call_records(calls: QuestionCalls) -> list[JsonObject]:
    """Model calls one by one as a table, without their texts."""
    return [
        {
            "call": number,
            "phase": entry["phase"],
            "event": "–" if entry["event"] is None else entry["event"],
            "role": entry["role"],
            "model": entry["model"] or "–",
            "tokens in": entry["prompt_tokens"] + entry["embedding_tokens"],
            "tokens out": entry["completion_tokens"],
            "ms": entry["ms"],
            "note": entry["note"],
        }
        for number, entry in enumerate(call_entries(calls), start=1)
    ]


def score_records(page: QuestionPage) -> list[JsonObject]:
    """Scores of every run side by side."""
    names = dict.fromkeys(name for run in page.runs for name in run.score.values)
    labels = distinct_labels(page.runs)
    card = get_task(page.task).card
    return [
        {
            "score": metric_words(card, name).title,
            **{labels[run.run_id]: run.score.values.get(name) for run in page.runs},
            "metric": name,
        }
        for name in names
    ]


def distinct_labels(runs: Sequence[AttemptView]) -> dict[str, str]:
    """Run id -> label, with the id beside it where two runs have the same one."""
    count = Counter(run.label for run in runs)
    return {
        run.run_id: run.label if count[run.label] == 1 else f"{run.label} · {run.run_id}"
        for run in runs
    }
