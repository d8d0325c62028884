"""Rule 8: what a bundle's records come to, computed by the verifier with its own data.

In go a parsed bundle and the verifier's task and data; out come the verifier's score rows and
summary, where the claim differs (`diff`), and for every metric how its value came about:

    re-scored  from the records: sources of memories, extractive answers, times
    judged     from the verdicts that the submitter's judge gave
    claimed    the submitter's value, as it depends on text that the bundle cannot hold

    rescore(bundle, reference).origins
    -> {"evidence.turn.recall@5": "re-scored", "judged.accuracy": "judged", "f1": "claimed"}

Which of the three is found by trial: a case is scored in several versions that differ only in
stand-ins for the unpublished text (`reconstruct`), and once without verdicts. A metric whose value
changes depends on what was changed.
"""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Literal

import orjson

from membench.domain.case import Case
from membench.domain.errors import UserError
from membench.domain.labels import JsonObject, JsonView, Role
from membench.domain.outcome import PlayedCase
from membench.domain.score import Gold, Score, Verdict
from membench.harness.prepare import judges
from membench.harness.run_energy import energy_of, energy_report
from membench.harness.stages.memory_gate import memory_gate
from membench.harness.stages.score import ScoreResults, Totals
from membench.harness.stages.unread import score_case, with_placeholders
from membench.harness.stages.verdicts import (
    judge_key,
    judge_weights,
    older_judge_key,
    verdict_failures,
    verdict_from,
)
from membench.harness.summary import summarise
from membench.leaderboard.bundles import layout
from membench.leaderboard.bundles.pruning import pruned
from membench.leaderboard.bundles.summary_schema import Summary
from membench.leaderboard.validation.checked_lines import ClaimedRows, row_key
from membench.leaderboard.validation.claims import ClaimChecks, claim_flags
from membench.leaderboard.validation.diff import (
    changed_metrics,
    energy_report_findings,
    row_findings,
    summary_findings,
)
from membench.leaderboard.validation.parsing import MANY, ParsedBundle, manifest_from
from membench.leaderboard.validation.reconstruct import case_versions
from membench.leaderboard.validation.references import check_references
from membench.leaderboard.validation.rules import Finding, RuleViolation
from membench.leaderboard.validation.verifier_data import VerifierData
from membench.metrics.text import normalise
from membench.readers.gate import gate_result, gate_sha256, recorded_answers
from membench.readers.registry import reads_nothing
from membench.records.attempts import RunRecords
from membench.records.energy_summary import EnergySummary
from membench.records.run_directory import RunDir
from membench.records.scores import score_from_json
from membench.records.spec import RunSpec
from membench.records.telemetry import Telemetry

MetricOrigin = Literal["re-scored", "judged", "claimed"]

GOLD_SHARE, GOLD_LEAST = 0.9, 20
"""Share of answers equal to the gold that is odd, and from how many answers on."""


@dataclass
class RescoreResult:
    """What the verifier came to.

    Attributes:
        summary: The summary as the verifier computes it.
        origins: How each metric came about.
        findings: Where the claim differs.
        flags: Remarks, keys of `rules.FLAGS`.
    """

    summary: JsonObject
    origins: dict[str, MetricOrigin]
    findings: list[Finding]
    flags: list[str] = field(default_factory=list)


def rescore(bundle: ParsedBundle, reference: VerifierData) -> RescoreResult:
    """Score the records of a bundle and compare with what it claims.

    Raises:
        RuleViolation: A record points at what does not exist, or verdicts are of no known judge.
    """
    verdicts = verdicts_by_request(scoring_verdicts(bundle, reference))
    models = {Role(role): name for role, name in bundle.manifest["models"].items()}
    run = RunDir(bundle.play.path.parent)
    claims = ClaimChecks(bundle, reference.task)
    scorer = BundleScorer(
        reference,
        verdicts,
        models,
        claims,
        OwnRows(run.path / "own_scores.jsonl"),
        answers_alone=bundle.manifest["system"]["protocol"] == "answer-only",
        unread=reads_nothing(bundle.manifest["spec"]["reader"]),
    )
    recorded = RunRecords(run.play, run.texts, run.answers)
    for case, gold in reference.cases():
        scorer.add(case, gold, recorded)
    del recorded
    scorer.totals.add_notes(bundle.notes)
    add_judging(bundle, scorer.totals)
    energy = recomputed_energy(run, scorer.totals)
    compared = ComparedRows(scorer, bundle.scores.by_key())
    results = ScoreResults(reference.task.aggregate(compared.final_rows()), scorer.totals)
    summary = recomputed_summary(bundle, results, energy)
    summary["memory_gate"] = recomputed_memory_gate(bundle, reference, run, scorer.rows)
    findings = chain(
        compared.findings,
        summary_findings(summary, bundle.summary),
        energy_report_findings(energy.report, bundle.manifest.get("energy")),
    )
    flags = [*scorer.flags(), *claims.flags(), *cpu_flags(bundle), *claim_flags(bundle)]
    return RescoreResult(summary, scorer.origins(), list(islice(findings, MANY)), flags)


# --- verdicts ------------------------------------------------------------------------------------


def scoring_verdicts(bundle: ParsedBundle, reference: VerifierData) -> Iterable[JsonObject]:
    """Verdicts of the judge that gives the scores: the first that the spec names.

    Verdicts of older versions are named without the judge's settings.

    Raises:
        RuleViolation: Verdicts of a judge that the spec does not name.
    """
    spec = RunSpec.from_json(bundle.manifest["spec"])
    hashes = reference.task.prompt_hashes()
    prompts = {name: value for name, value in hashes.items() if name.startswith("judge.")}
    weights = bundle.manifest.get("local_models", {})
    keys = [
        (
            judge_key(model, prompts, spec, judge_weights(weights, number)),
            older_judge_key(model, prompts, spec),
        )
        for number, model in enumerate(judges(spec))
    ]
    unknown = {*bundle.verdicts, *bundle.candidates} - set(chain.from_iterable(keys))
    if unknown:
        location = f"verdicts.{min(unknown)}"
        raise RuleViolation("known.prompts", location, "is no judge of the spec")
    first = keys[0] if keys else ()
    return next((bundle.verdicts[key] for key in first if key in bundle.verdicts), [])


def verdicts_by_request(lines: Iterable[JsonView]) -> dict[str, Verdict]:
    """Verdicts by the request they answer; the last about one counts."""
    return {line["request"]: verdict_from(line) for line in lines}


def judge_lines(bundle: ParsedBundle) -> Iterator[JsonObject]:
    """Lines of all judges, judge by judge: candidates first, as the harness reads it."""
    for key in dict.fromkeys((*bundle.verdicts, *bundle.candidates)):
        yield from bundle.candidates.get(key, [])
        yield from bundle.verdicts.get(key, [])


def add_judging(bundle: ParsedBundle, totals: Totals) -> None:
    """Add what judging cost, and the verdicts that failed."""
    by_judge = [verdicts_by_request(lines) for lines in bundle.verdicts.values()]
    telemetry = [Telemetry.from_json(line["telemetry"]) for line in judge_lines(bundle)]
    totals.add_judging(verdict_failures(by_judge), telemetry)


# --- scores --------------------------------------------------------------------------------------


class BundleScorer:
    """Scores case by case and notices what the scores depend on."""

    def __init__(
        self,
        reference: VerifierData,
        verdicts: Mapping[str, Verdict],
        models: Mapping[Role, str],
        claims: ClaimChecks,
        rows: OwnRows,
        *,
        answers_alone: bool = False,
        unread: bool = False,
    ) -> None:
        """Start with nothing scored."""
        self._answers_alone = answers_alone
        self._unread = unread
        self._claims = claims
        self.totals = Totals(models)
        self._task = reference.task
        self._verdicts = verdicts
        self.rows = rows
        self._names: set[str] = set()
        self._by_answer: set[str] = set()
        self._by_memory: set[str] = set()
        self._by_verdict: set[str] = set()
        self._same_as_gold = self._published_answers = 0

    def add(self, case: Case, gold: Gold, recorded: RunRecords) -> None:
        """Score one case.

        Raises:
            RuleViolation: One of its records points at what does not exist.
        """
        attempt = recorded.load(case, whole=False)
        check_references(case, attempt, answers_alone=self._answers_alone)
        versions = case_versions(case, gold, attempt)
        self._claims.check(case, gold, attempt, versions.known)
        verdicts = self._verdicts_about(gold, versions)
        rows = self._score(versions.played, gold, verdicts)
        for names, others in (
            (self._by_answer, versions.with_other_answers),
            (self._by_memory, versions.with_other_texts),
        ):
            for other in others:
                names |= changed_metrics(rows, self._score(other, gold, verdicts))
        if verdicts:
            unjudged = self._score(versions.played, gold, {})
            self._by_verdict |= changed_metrics(rows, unjudged)
        self._compare_gold(gold, versions.played, versions.hidden_answers)
        self.rows.add(rows, versions.hidden_answers)
        self._names.update(name for row in rows for name in row.values)
        played = with_placeholders(versions.played) if self._unread else versions.played
        self.totals.add(attempt, played, rows)

    def _score(
        self, played: PlayedCase, gold: Gold, verdicts: Mapping[str, Verdict]
    ) -> list[Score]:
        return score_case(self._task, played, gold, verdicts, unread=self._unread)

    def _verdicts_about(self, gold: Gold, versions: Iterable[PlayedCase]) -> dict[str, Verdict]:
        """The verdicts about one case, whichever version of it asks for them."""
        if not self._verdicts:
            return {}
        wanted = {
            request.id for played in versions for request in self._task.judgements(played, gold)
        }
        return {key: self._verdicts[key] for key in wanted if key in self._verdicts}

    def _compare_gold(self, gold: Gold, played: PlayedCase, hidden: frozenset[int]) -> None:
        """Count the published answers, and those that equal the gold."""
        for event, question in gold.questions.items():
            answers = played.answered.get(event, ())
            text = answers[0].text if answers else None
            if event in hidden or question.answer is None or not text:
                continue
            self._published_answers += 1
            self._same_as_gold += normalise(text) == normalise(question.answer)

    def claimed(self, hidden: bool) -> set[str]:
        """Metrics of a row that only the submitter can know.

        Args:
            hidden: Whether the answer that the row is about is not published.
        """
        return self._by_memory | (self._by_answer if hidden else set())

    def origins(self) -> dict[str, MetricOrigin]:
        """How each metric came about."""
        return {name: self._origin(name) for name in sorted(self._names)}

    def _origin(self, name: str) -> MetricOrigin:
        if name in self._by_verdict:
            return "judged"
        return "claimed" if name in self._by_answer | self._by_memory else "re-scored"

    def flags(self) -> list[str]:
        """Remarks on what is odd or cannot be known."""
        found = []
        if "claimed" in self.origins().values():
            found.append("flag.claimed")
        answers = self._published_answers
        if answers >= GOLD_LEAST and self._same_as_gold >= GOLD_SHARE * answers:
            found.append("flag.gold")
        return found


class OwnRows:
    """The verifier's rows, on disk until it is known which metrics are the submitter's to claim."""

    def __init__(self, path: Path) -> None:
        """Start an empty file."""
        self._path = path
        self._path.write_bytes(b"")

    def add(self, rows: Iterable[Score], hidden: Container[int | None]) -> None:
        """Take in the rows of a case, and at which events its answers are not published."""
        option = orjson.OPT_APPEND_NEWLINE
        with self._path.open("ab") as file:
            file.writelines(orjson.dumps([row.event in hidden, row], option=option) for row in rows)

    def __iter__(self) -> Iterator[tuple[bool, Score]]:
        """Every row, and whether the answer that it is about is not published."""
        with self._path.open("rb") as file:
            for hidden, line in map(orjson.loads, file):
                yield hidden, score_from_json(line)


class ComparedRows:
    """The verifier's rows beside the submitter's.

    Args:
        scorer: Done with every case.
        claims: The submitter's rows.

    Attributes:
        findings: The first differences; complete once `final_rows` is read to its end.
    """

    def __init__(self, scorer: BundleScorer, claims: ClaimedRows) -> None:
        """Start before the first row."""
        self._scorer, self._claims = scorer, claims
        self.findings: list[Finding] = []

    def final_rows(self) -> Iterator[Score]:
        """The rows, with the claimed values of metrics that cannot be re-scored."""
        known = array("q")
        for hidden, own in self._scorer.rows:
            key = row_key(own)
            known.append(hash(key))
            claim = self._claims.get(key)
            row = own if claim is None else with_claimed(own, claim, self._scorer.claimed(hidden))
            self._note(row_findings(row, claim))
            yield row
        for extra in self._claims.others(known):
            problem = f"a row of '{extra.item_id}' that scoring lacks"
            self._note([Finding("rescore.score", layout.SCORES, problem)])

    def _note(self, found: Iterable[Finding]) -> None:
        if len(self.findings) < MANY:
            self.findings += found


def with_claimed(row: Score, claim: Score, names: set[str]) -> Score:
    """A row with the claimed values of some metrics."""
    values = {
        name: claim.values.get(name) if name in names else value
        for name, value in row.values.items()
    }
    return replace(row, values=values)


# --- costs and the summary -----------------------------------------------------------------------


def cpu_flags(bundle: ParsedBundle) -> list[str]:
    """`flag.cpu` where more CPU seconds are claimed than the cores could give in that time."""
    cores = max(bundle.manifest["hardware"]["cores"], 1)
    elapsed = sum(entry["total"] for entry in bundle.summary["time_s"].values())
    used = sum(seconds or 0.0 for seconds in bundle.summary["cpu_s"].values())
    return ["flag.cpu"] if used > 1.1 * cores * elapsed + 1 else []


@dataclass(frozen=True)
class RecomputedEnergy:
    """The energy of a run by the verifier's ledger: for the summary, and for the manifest."""

    summary: EnergySummary
    report: JsonObject


def recomputed_energy(run: RunDir, totals: Totals) -> RecomputedEnergy:
    """The energy ledger from the bundle's samples and the spans of its records.

    Raises:
        RuleViolation: The samples are not what a sampler writes.
    """
    try:
        ledger, checks = energy_of(run, totals.spans)
        return RecomputedEnergy(ledger.summary(), energy_report(ledger, checks))
    except (UserError, ValueError, KeyError, TypeError, IndexError) as error:
        raise RuleViolation(
            "rescore.energy", layout.ENERGY, f"cannot be read: {error}"[:300]
        ) from None


def recomputed_summary(
    bundle: ParsedBundle, results: ScoreResults, energy: RecomputedEnergy
) -> JsonObject:
    """The summary as the harness would write it from the verifier's rows."""
    manifest = manifest_from(bundle.manifest)
    own = summarise(manifest, results, energy.summary).to_json()
    kept = {"judge": bundle.summary["judge"], "reader_gate": recomputed_gate(bundle)}
    return pruned(Summary, orjson.loads(orjson.dumps(own)) | kept)


def recomputed_gate(bundle: ParsedBundle) -> JsonView | None:
    """The reader gate from the answers in a bundle; the claim where it is of another set."""
    claim: JsonView | None = bundle.summary.get("reader_gate")
    if bundle.gate is None or claim is None or claim.get("set_sha256") != gate_sha256():
        return claim
    return gate_result(recorded_answers(bundle.gate)).to_json()


def recomputed_memory_gate(
    bundle: ParsedBundle, reference: VerifierData, run: RunDir, rows: OwnRows
) -> JsonView | None:
    """The memory gate from the verifier's rows and data; None where none is claimed.

    A claim with another floor differs, and so is no way around the gate.
    """
    if bundle.summary.get("memory_gate") is None:
        return None
    own = (row for _, row in rows)
    manifest = manifest_from(bundle.manifest)
    gate = memory_gate(manifest, reference.task, reference.cases(), run, own)
    return None if gate is None else orjson.loads(orjson.dumps(gate.to_json()))
