"""Rule 8: what the records come to, computed by the verifier with its own data.

Recall is re-scored from source ids, extractive answers from their parts, and a memory that is a
turn (or several) of the data is recognised by its hash. What a bundle cannot show (a free answer
that the licence keeps back, the words of a rewritten memory) is put in several ways and scored
each time: a metric whose value changes depends on it, so its submitted values stand as
**claimed**. Metrics that vanish without verdicts are **judged**: recomputed, from what the
submitter's judge said. All others are **re-scored**, and the verifier's values are shown.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal

import orjson

from membench.domain.case import Ask, Case, Probe, Remember, phase_of
from membench.domain.errors import UserError
from membench.domain.labels import Role
from membench.domain.outcome import PlayedCase
from membench.domain.score import Gold, Score, Verdict
from membench.harness.prepare import judges
from membench.harness.run_energy import energy_of, energy_report
from membench.harness.stages.score import ScoreResults, Totals
from membench.harness.stages.verdicts import judge_key, verdict_failures, verdict_from
from membench.harness.summary import summarise
from membench.leaderboard.bundles import layout
from membench.leaderboard.bundles.schema import Summary, pruned
from membench.leaderboard.validation.parsing import MANY, Lines, ParsedBundle
from membench.leaderboard.validation.rules import Finding, RuleViolation
from membench.leaderboard.validation.verifier_data import VerifierData
from membench.records.attempts import CaseAttempt, RunRecords, played_case
from membench.records.run_directory import RunDir
from membench.records.spec import RunSpec

Standing = Literal["re-scored", "judged", "claimed"]
Key = tuple[str, str, str, int | None]
Fill = Callable[[Gold, int], str]
"""Words to put for an answer that the bundle does not hold."""

PLACEHOLDER_ANSWERS: tuple[Fill, ...] = (
    lambda gold, event: "",
    lambda gold, event: (gold.questions[event].answer if event in gold.questions else None) or "x",
    lambda gold, event: "No information available",
)
VALUE_TOLERANCE = 1e-6
GOLD_SHARE, GOLD_LEAST = 0.9, 20


@dataclass
class RescoreResult:
    """What the verifier came to.

    Attributes:
        summary: The summary as the verifier computes it.
        rows: The score rows it rests on.
        standing: How each metric came about.
        findings: Where the claim differs.
        flags: Remarks.
    """

    summary: dict[str, Any]
    rows: list[Score]
    standing: dict[str, Standing]
    findings: list[Finding]
    flags: list[str] = field(default_factory=list)


def rescore(contents: ParsedBundle, materials: VerifierData) -> RescoreResult:
    """Score the records of a bundle and compare with what it claims.

    Raises:
        Broken: A record points at what does not exist.
    """
    seat = verdict_lines(contents, materials)
    verdicts = {line["request"]: verdict_from(line) for line in seat}
    models = {Role(role): name for role, name in contents.manifest["models"].items()}
    scoring = Scoring(materials, verdicts, models)
    with tempfile.TemporaryDirectory(prefix="membench-verify-") as folder:
        recorded = write_records(contents, Path(folder))
        for case, gold in materials.cases():
            scoring.add(case, gold, recorded)
        scoring.totals.cost.add_late(recorded.notes)
        said = [
            {n["request"]: verdict_from(n) for n in each} for each in contents.verdicts.values()
        ]
        judging = [line["telemetry"] for lines in judge_lines(contents) for line in lines]
        scoring.totals.add_judging(verdict_failures(said), judging)
        energy = recomputed_energy(contents, scoring, Path(folder))
    claimed = {key_of(row): row for row in contents.scores}
    rows = scoring.final_rows(claimed)
    summary = recomputed_summary(contents, materials, scoring, rows, energy.summary)
    findings = [
        *score_findings(rows, claimed, scoring),
        *summary_findings(contents, summary),
        *energy_report_findings(contents, energy),
    ]
    return RescoreResult(
        summary, rows, scoring.standing(), findings[:MANY], scoring.flags(contents)
    )


def verdict_lines(contents: ParsedBundle, materials: VerifierData) -> Lines:
    """Verdicts of the judge that gives the scores.

    Raises:
        Broken: Verdicts of a judge that the spec does not name.
    """
    spec = RunSpec.from_json(contents.manifest["spec"])
    hashes = materials.task.prompt_hashes()
    prompts = {name: value for name, value in hashes.items() if name.startswith("judge.")}
    keys = [judge_key(model, prompts, spec) for model in judges(spec)]
    odd = {*contents.verdicts, *contents.candidates} - set(keys)
    if odd:
        raise RuleViolation("known.prompts", f"verdicts.{min(odd)}", "is no judge of the spec")
    return contents.verdicts.get(keys[0], []) if keys else []


def judge_lines(contents: ParsedBundle) -> Iterator[Lines]:
    """Everything that judges said, judge by judge: candidates first, as the harness reads it."""
    for key in dict.fromkeys((*contents.verdicts, *contents.candidates)):
        yield contents.candidates.get(key, [])
        yield contents.verdicts.get(key, [])


@dataclass(frozen=True)
class RecomputedSummary:
    """The energy of a run by the verifier's ledger: for the summary, and for the manifest."""

    summary: dict[str, Any]
    report: dict[str, Any]


def recomputed_energy(contents: ParsedBundle, scoring: Scoring, folder: Path) -> RecomputedSummary:
    """The energy ledger from the bundle's samples and the spans of its records.

    Raises:
        Broken: The samples are not what a sampler writes.
    """
    run = RunDir(folder)
    if contents.energy is not None:
        write_lines(run.energy, contents.energy)
    try:
        ledger, checks = energy_of(run, scoring.totals.spans)
        return RecomputedSummary(ledger.summary(), energy_report(ledger, checks))
    except (UserError, ValueError, KeyError, TypeError, IndexError) as error:
        raise RuleViolation(
            "rescore.energy", layout.ENERGY, f"cannot be read: {error}"[:300]
        ) from None


def energy_report_findings(contents: ParsedBundle, energy: RecomputedSummary) -> Iterator[Finding]:
    """Checks and report of the manifest that differ from the verifier's."""
    plain = orjson.loads(orjson.dumps(energy.report))
    claim = contents.manifest.get("energy") or {}
    for place, own, theirs in differences(plain, claim, "energy"):
        problem = f"is {theirs!r}, the samples come to {own!r}"[:300]
        yield Finding("rescore.energy", f"{layout.MANIFEST}: {place}", problem)


def write_records(contents: ParsedBundle, folder: Path) -> RunRecords:
    """The journals as the harness reads them; memories have empty texts."""
    texts = [{**line, "text": ""} for line in contents.texts]
    paths = [folder / "play.jsonl", folder / "texts.jsonl", folder / "answers.jsonl"]
    play = [*contents.play, *contents.notes]
    for path, lines in zip(paths, (play, texts, contents.answers), strict=True):
        write_lines(path, lines)
    return RunRecords(*paths)


def write_lines(path: Path, lines: Lines) -> None:
    """JSON lines, as parsed: no reader can see them differently from here on."""
    option = orjson.OPT_APPEND_NEWLINE
    with path.open("wb") as file:
        file.writelines(orjson.dumps(line, option=option) for line in lines)


class Scoring:
    """Scores case by case and notices what the scores depend on."""

    def __init__(
        self,
        materials: VerifierData,
        verdicts: Mapping[str, Verdict],
        models: Mapping[Role, str],
    ) -> None:
        """Start with nothing scored."""
        self._task = materials.task
        self._verdicts = verdicts
        self._rows: list[tuple[Score, bool]] = []
        self._on_answer: set[str] = set()
        self._on_memory: set[str] = set()
        self._on_verdict: set[str] = set()
        self._names: set[str] = set()
        self._unresolved: set[Key] = set()
        self.totals = Totals(models)
        self._same_as_gold = self._resolved = 0

    def add(self, case: Case, gold: Gold, recorded: RunRecords) -> None:
        """Score one case."""
        loaded = recorded.load(case)
        check_case(case, loaded)
        words = known_words(case, loaded.texts)
        plain = replace(loaded, texts=with_texts(loaded.texts, words, placeholder))
        has_hidden_text = unresolvable(plain, words)
        first = self._played(case, gold, plain, has_hidden_text, PLACEHOLDER_ANSWERS[0])
        variants = (
            [
                self._played(case, gold, plain, has_hidden_text, fill)
                for fill in PLACEHOLDER_ANSWERS[1:]
            ]
            if has_hidden_text
            else []
        )
        told = all_gold_text(gold)
        full = replace(loaded, texts=with_texts(loaded.texts, words, lambda n: f"{told} {n}"))
        hidden = len(words) < len(loaded.texts)
        other = (
            [self._played(case, gold, full, has_hidden_text, PLACEHOLDER_ANSWERS[0])]
            if hidden
            else []
        )
        mine = self._verdicts_about(gold, [first, *variants, *other])
        rows = list(self._task.score(first, gold, mine))
        self._on_answer |= self._changes(rows, variants, gold, mine)
        self._on_memory |= self._changes(rows, other, gold, mine)
        if mine:
            self._on_verdict |= changed(rows, self._task.score(first, gold, {}))
        self._compare_gold(gold, first, has_hidden_text)
        self._rows.extend((row, row.event in has_hidden_text) for row in rows)
        self._names.update(name for row in rows for name in row.values)
        self.totals.add(loaded, first, rows)

    def _played(
        self, case: Case, gold: Gold, loaded: CaseAttempt, has_hidden_text: set[int], fill: Fill
    ) -> PlayedCase:
        answers = {
            event: replace(record, content=with_answer(record.content, fill(gold, event)))
            if event in has_hidden_text
            else record
            for event, record in (loaded.answers or {}).items()
        }
        return played_case(case, replace(loaded, answers=answers))

    def _verdicts_about(self, gold: Gold, ways: Sequence[PlayedCase]) -> dict[str, Verdict]:
        """The verdicts about one case, whichever way it is played."""
        if not self._verdicts:
            return {}
        wanted = {request.id for way in ways for request in self._task.judgements(way, gold)}
        return {key: self._verdicts[key] for key in wanted if key in self._verdicts}

    def _changes(
        self,
        rows: Sequence[Score],
        ways: Sequence[PlayedCase],
        gold: Gold,
        verdicts: Mapping[str, Verdict],
    ) -> set[str]:
        """Names of the metrics that change when the case is played in other ways."""
        names: set[str] = set()
        for way in ways:
            names |= changed(rows, self._task.score(way, gold, verdicts))
        return names

    def _compare_gold(self, gold: Gold, played: PlayedCase, has_hidden_text: set[int]) -> None:
        for event, question in gold.questions.items():
            answers = played.answered.get(event, ())
            if (
                event in has_hidden_text
                or question.answer is None
                or not answers
                or not answers[0].text
            ):
                continue
            self._resolved += 1
            self._same_as_gold += answers[0].text.strip() == question.answer.strip()

    def final_rows(self, claimed: Mapping[Key, Mapping[str, Any]]) -> list[Score]:
        """The rows with claimed values where nothing else can be had."""
        return [
            replace(row, values=self._values(row, has_hidden_text, claimed.get(key_of_row(row))))
            for row, has_hidden_text in self._rows
        ]

    def _values(
        self, row: Score, has_hidden_text: bool, claim: Mapping[str, Any] | None
    ) -> dict[str, float | None]:
        taken = self._on_memory | (self._on_answer if has_hidden_text else set())
        if claim is None:
            return dict(row.values)
        return {
            name: claim["values"].get(name) if name in taken else value
            for name, value in row.values.items()
        }

    def standing(self) -> dict[str, Standing]:
        """How each metric came about."""
        claimed = self._on_answer | self._on_memory
        return {
            name: "judged"
            if name in self._on_verdict
            else "claimed"
            if name in claimed
            else "re-scored"
            for name in sorted(self._names)
        }

    def flags(self, contents: ParsedBundle) -> list[str]:
        """Remarks on what is odd or cannot be known."""
        found = []
        if "claimed" in self.standing().values():
            found.append("flag.claimed")
        if self._resolved >= GOLD_LEAST and self._same_as_gold >= GOLD_SHARE * self._resolved:
            found.append("flag.gold")
        cores = max(contents.manifest["hardware"]["cores"], 1)
        time = sum(entry["total"] for entry in contents.summary["time_s"].values())
        if sum(contents.summary["cpu_s"].values()) > 1.1 * cores * time + 1:
            found.append("flag.cpu")
        return found


def changed(one: Sequence[Score], other: Sequence[Score]) -> set[str]:
    """Names of the metrics in which two ways of scoring differ."""
    names: set[str] = set()
    others = {key_of_row(row): row for row in other}
    for row in one:
        twin = others.get(key_of_row(row))
        theirs = {} if twin is None else twin.values
        names |= {
            name
            for name in {*row.values, *theirs}
            if row.values.get(name) != theirs.get(name) or (name in row.values) != (name in theirs)
        }
    return names


def key_of_row(row: Score) -> Key:
    """What identifies a row."""
    return row.case_id, row.kind, row.item_id, row.event


def key_of(line: Mapping[str, Any]) -> Key:
    """The same of a line of scores.jsonl."""
    return line["case_id"], line["kind"], line["item_id"], line["event"]


# --- records that point nowhere ----------------------------------------------------------------


def check_case(case: Case, loaded: CaseAttempt) -> None:
    """Every number, span and hash of a case's records must resolve.

    Raises:
        Broken: `rescore.memory`, `rescore.tokens` or `rescore.answer`.
    """
    for n, line in enumerate(loaded.texts):
        if line["n"] != n:
            raise RuleViolation("rescore.memory", layout.TEXTS, f"case {case.id} has no memory {n}")
    ids = 0
    for record in loaded.records:
        place = f"{layout.PLAY}: case {case.id}, event {record.event}"
        event = case.timeline[record.event]
        if record.phase != phase_of(event):
            raise RuleViolation("questions.cases", place, f"is of phase {phase_of(event)}")
        check_numbers(record.content, len(loaded.texts), place)
        ids = check_ids(record.content, ids, place)
        if isinstance(event, Ask | Probe):
            check_context(record.content, record.telemetry, loaded.texts, place)
    turns = {turn.id: len(turn.text) for turn in case.turns().values()}
    for number, record in (loaded.answers or {}).items():
        place = f"{layout.ANSWERS}: case {case.id}, event {number}"
        if not isinstance(case.timeline[number], Ask):
            raise RuleViolation("questions.cases", place, "is no question")
        for answer in record.content["answers"]:
            check_answer(answer, turns, len(loaded.texts), place)


def check_numbers(content: Mapping[str, Any], known: int, place: str) -> None:
    """Memory numbers must exist."""
    changes = content.get("changes")
    listed = [c["n"] for c in changes] if isinstance(changes, list) else []
    for n in [*(content.get("memories") or ()), *listed]:
        if n >= known:
            raise RuleViolation("rescore.memory", place, f"there is no memory {n}")


def check_ids(content: Mapping[str, Any], known: int, place: str) -> int:
    """Ids in changes count up from 0 in order of first appearance; the next number that is free."""
    changes = content.get("changes")
    for change in changes if isinstance(changes, list) else ():
        number = change.get("id")
        if number is not None and number > known:
            raise RuleViolation("rescore.memory", place, f"id {number} where {known} is the next")
        known += number == known
    return known


def check_context(
    content: Mapping[str, Any],
    telemetry: Mapping[str, Any],
    texts: Sequence[Mapping[str, Any]],
    place: str,
) -> None:
    """Context tokens must be the sum over what was recalled."""
    if content["status"] != "ok":
        return
    if content.get("memories") is None:
        raise RuleViolation("rescore.memory", place, "is ok without a list of memories")
    tokens = sum(texts[n]["tokens"] for n in content["memories"])
    if telemetry.get("context_tokens") != tokens:
        claimed = telemetry.get("context_tokens")
        raise RuleViolation(
            "rescore.tokens", place, f"says {claimed} tokens, its memories have {tokens}"
        )


def check_answer(
    answer: Mapping[str, Any], turns: Mapping[str, int], memories: int, place: str
) -> None:
    """An answer's hash must fit its text, its spans must lie inside something."""
    if answer["status"] != "ok":
        return
    if "text" in answer and answer.get("sha256") != sha256(answer["text"]):
        raise RuleViolation("rescore.answer", place, "the text has another hash")
    if "parts" not in answer and "sha256" not in answer:
        raise RuleViolation("rescore.answer", place, "has neither parts nor a hash")
    for part in answer.get("parts") or ():
        if "turn" in part and not part["start"] <= part["end"] <= turns.get(part["turn"], -1):
            raise RuleViolation("rescore.answer", place, "a span lies outside its turn")
        if "memory" in part and not (part["memory"] < memories and part["start"] <= part["end"]):
            raise RuleViolation("rescore.answer", place, "a span lies in no memory")


def sha256(text: str) -> str:
    """Hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def known_words(case: Case, texts: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Words of the memories that are turns or items of the case, by number, found by hash."""
    sources = {turn.id: turn.text for turn in case.turns().values()}
    sources |= {e.item.id: e.item.text for e in case.timeline if isinstance(e, Remember)}
    by_hash = {sha256(text): text for text in sources.values()}
    found: dict[int, str] = {}
    for line in texts:
        parts = [sources[name] for name in line["sources"] if name in sources]
        whole = by_hash.get(line["sha256"]) or next(
            (text for join in JOINS if sha256(text := join.join(parts)) == line["sha256"]), None
        )
        if whole is not None:
            found[line["n"]] = whole
    return found


JOINS = ("\n", "\n\n", " ")
"""How systems put several turns into one memory."""


def placeholder(n: int) -> str:
    """Words for a memory whose own are not known."""
    return f"memory {n}"


def with_texts(
    texts: Sequence[Mapping[str, Any]], words: Mapping[int, str], unknown: Callable[[int], str]
) -> tuple[Mapping[str, Any], ...]:
    """Lines of texts with their words, or with some in place of them."""
    return tuple(
        {**line, "text": words[n] if (n := line["n"]) in words else unknown(n)} for line in texts
    )


def all_gold_text(gold: Any) -> str:
    """Every string in a gold: words on which any figure of a memory's text must turn."""
    if isinstance(gold, str):
        return gold
    if is_dataclass(gold):
        return all_gold_text([getattr(gold, field.name) for field in fields(gold)])
    if isinstance(gold, Mapping):
        return all_gold_text(list(gold.values()))
    if isinstance(gold, list | tuple | set | frozenset):
        return " ".join(filter(None, map(all_gold_text, gold)))
    return ""


def unresolvable(loaded: CaseAttempt, words: Mapping[int, str]) -> set[int]:
    """Events whose answers have words that the bundle does not hold."""
    return {
        event
        for event, record in (loaded.answers or {}).items()
        if any(has_hidden_text(answer, words) for answer in record.content["answers"])
    }


def has_hidden_text(answer: Mapping[str, Any], words: Mapping[int, str]) -> bool:
    """Whether an answer's words cannot be had."""
    if answer["status"] != "ok":
        return False
    if "parts" in answer:
        return any("memory" in part and part["memory"] not in words for part in answer["parts"])
    return "text" not in answer


def with_answer(content: Mapping[str, Any], words: str) -> dict[str, Any]:
    """An answer record with `words` in place of every answer that is ok."""
    answers = [
        {"status": "ok", "text": words} if answer["status"] == "ok" else answer
        for answer in content["answers"]
    ]
    return {**content, "answers": answers}


# --- claim against result ----------------------------------------------------------------------


def recomputed_summary(
    contents: ParsedBundle,
    materials: VerifierData,
    scoring: Scoring,
    rows: list[Score],
    energy: Mapping[str, Any],
) -> dict[str, Any]:
    """The summary as the harness would write it from the verifier's rows."""
    scored = ScoreResults(rows, scoring.totals)
    summary = summarise(contents.manifest, materials.task, scored, energy)
    summary["judge"] = contents.summary["judge"]
    return pruned(Summary, orjson.loads(orjson.dumps(summary)))


def score_findings(
    rows: Sequence[Score], claimed: Mapping[Key, Mapping[str, Any]], scoring: Scoring
) -> Iterator[Finding]:
    """Rows that differ from the submitted ones."""
    for row in rows:
        claim = claimed.get(key_of_row(row))
        if claim is None:
            yield Finding("rescore.score", layout.SCORES, f"no row of '{row.item_id}'")
            continue
        if problem := row_problem(row, claim):
            yield Finding("rescore.score", f"{layout.SCORES}: '{row.item_id}'", problem)
    keys = {key_of_row(row) for row in rows}
    for key in claimed:
        if key not in keys:
            yield Finding("rescore.score", layout.SCORES, f"a row of '{key[2]}' that scoring lacks")


def row_problem(row: Score, claim: Mapping[str, Any]) -> str | None:
    """How a submitted row differs, or None."""
    plain = {
        "category": row.category,
        "status": row.status,
        "reason": row.reason,
        "flags": list(row.flags),
    }
    for name, value in plain.items():
        if claim[name] != value:
            return f"{name} is {claim[name]!r}, the records come to {value!r}"
    for name in sorted({*row.values, *claim["values"]}):
        if name not in row.values or name not in claim["values"]:
            return f"{name} is on one side only"
        if not close(row.values[name], claim["values"][name]):
            return f"{name} is {claim['values'][name]}, the records come to {row.values[name]}"
    return None


RULE_OF_PART = {
    "counts": "rescore.count",
    "metrics": "rescore.metric",
    "categories": "rescore.metric",
    "notes": "rescore.metric",
    "complete": "rescore.count",
    "content_sha256": "rescore.content",
    "energy": "rescore.energy",
}
"""Part of the summary -> the rule it falls under; all others are costs."""

UNCHECKED = frozenset({"comparison_key", "schema", "models", "judge"})
"""Parts that are checked elsewhere, or cannot be: a judge's calibration is its submitter's word."""


USAGE_PARTS = frozenset({"usage", "abandoned"})
ADDED_TO_USAGE = frozenset({"latency_s", "cpu_s", "prompt_sq"})
"""Figures of usage that older summaries do not have."""


def as_old_as(mine: Any, claim: Any) -> Any:
    """A part of the summary without the usage figures that an older claim never had."""
    if not isinstance(mine, Mapping) or not isinstance(claim, Mapping):
        return mine
    return {
        key: as_old_as(value, claim.get(key))
        for key, value in mine.items()
        if key in claim or key not in ADDED_TO_USAGE
    }


def summary_findings(contents: ParsedBundle, summary: Mapping[str, Any]) -> Iterator[Finding]:
    """Parts of the summary that differ from the submitted ones."""
    claim = contents.summary
    for part in sorted({*claim, *summary} - UNCHECKED):
        rule = RULE_OF_PART.get(part, "rescore.cost")
        own = summary.get(part)
        if part in USAGE_PARTS:
            own = as_old_as(own, claim.get(part))
        for place, mine, theirs in differences(own, claim.get(part), part):
            yield Finding(
                rule, f"{layout.SUMMARY}: {place}", f"is {theirs!r}, the records come to {mine!r}"
            )


def differences(mine: Any, theirs: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """Leaves in which two JSON values differ beyond rounding."""
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        for key in sorted({*mine, *theirs}):
            yield from differences(mine.get(key), theirs.get(key), f"{place}.{key}")
    elif isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        for index, pair in enumerate(zip(mine, theirs, strict=True)):
            yield from differences(*pair, f"{place}[{index}]")
    elif not close(mine, theirs):
        yield place, mine, theirs


def close(one: Any, other: Any) -> bool:
    """Equal, or equal up to rounding."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return abs(one - other) <= VALUE_TOLERANCE * max(1.0, abs(one))
    return bool(one == other)
