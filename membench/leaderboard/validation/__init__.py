"""One validator for the command line, for CI and for the server.

The rules come in stages (`rules`): the envelope and its checksums, strict JSON and schema, what
is known, questions, ranges, re-scoring, plausibility. A stage with findings is the last one that
is looked at. What the verifier computes is what the board shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from membench.domain.errors import UserError
from membench.domain.score import Score
from membench.leaderboard.bundles.layout import LIMITS, Limits
from membench.leaderboard.validation.energy import energy_findings
from membench.leaderboard.validation.parsing import (
    MANY,
    ParsedBundle,
    disagreements,
    read_contents,
    text_findings,
)
from membench.leaderboard.validation.ranges import range_findings
from membench.leaderboard.validation.rescoring import RescoreResult, Standing, rescore
from membench.leaderboard.validation.rules import FLAGS, RULES, Finding, Rule, RuleViolation
from membench.leaderboard.validation.unpacking import open_bundle
from membench.leaderboard.validation.verifier_data import (
    VerifierData,
    find_task,
    gather,
    question_findings,
)

__all__ = ["FLAGS", "RULES", "Broken", "Contents", "Finding", "Rejected", "Rule", "Verification"]


Stage = Callable[[], list[Finding]]


class Rejected(UserError):
    """A bundle that broke a rule."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """Name every rule, where it is broken, and the remedy of the first."""
        self.findings = tuple(findings)
        lines = [str(finding) for finding in self.findings]
        super().__init__("the bundle is refused\n  " + "\n  ".join(lines), self.findings[0].remedy)


@dataclass(frozen=True)
class Verification:
    """What the validator says of a bundle.

    Attributes:
        findings: Broken rules; empty for an accepted bundle.
        contents: The bundle; None if it could not be read.
        summary: The figures to show: the verifier's own where it could compute them.
        rows: Score rows they rest on.
        standing: Metric name -> `re-scored`, `judged` or `claimed`.
        flags: Remarks, keys of `FLAGS`.
    """

    findings: tuple[Finding, ...] = ()
    contents: ParsedBundle | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    rows: tuple[Score, ...] = ()
    standing: dict[str, Standing] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether no rule was broken."""
        return not self.findings

    @property
    def rescored(self) -> bool:
        """Whether the verifier had the data."""
        return bool(self.standing)

    def accept(self) -> ParsedBundle:
        """The bundle's contents.

        Raises:
            Rejected: A rule was broken.
        """
        if self.findings or self.contents is None:
            raise Rejected(self.findings)
        return self.contents


def verify(path: Path, data: Path | None = None, limits: Limits = LIMITS) -> Verification:
    """Judge a bundle.

    Args:
        path: A folder or a zip file.
        data: The verifier's benchmark data: a file or a folder; None looks where `run` does.
        limits: Sizes.
    """
    try:
        contents = read_contents(open_bundle(path, limits), limits)
        return judge(contents, data)
    except RuleViolation as broken:
        return Verification((broken.finding,))


def judge(contents: ParsedBundle, data: Path | None) -> Verification:
    """Judge a bundle that has been read.

    Raises:
        Broken: A rule without which the rest means nothing.
    """
    findings = disagreements(contents)
    if findings:
        return Verification(tuple(findings), contents)
    task = find_task(contents)
    texts = list(text_findings(contents, text_allowed=task.card.may_redistribute_text))
    if texts:
        return Verification(tuple(texts[:MANY]), contents)
    materials = gather(contents, task, data)
    for stage in stages(contents, materials):
        if found := stage():
            return Verification(tuple(found), contents)
    if materials is None:
        return unverified(contents)
    return concluded(contents, materials)


def stages(contents: ParsedBundle, materials: VerifierData | None) -> Iterator[Stage]:
    """The stages between schema and re-scoring."""
    if materials is not None:
        yield lambda: question_findings(contents, materials)
    yield lambda: range_findings(contents)
    yield lambda: energy_findings(contents)


def unverified(contents: ParsedBundle) -> Verification:
    """What can be said of a bundle without its data."""
    flags = (*run_flags(contents), "flag.unverified")
    rows = tuple(score_of(line) for line in contents.scores)
    return Verification((), contents, contents.summary, rows, {}, flags)


def concluded(contents: ParsedBundle, materials: VerifierData) -> Verification:
    """Re-score a bundle and compare."""
    result: RescoreResult = rescore(contents, materials)
    flags = (*run_flags(contents), *result.flags)
    return Verification(
        tuple(result.findings),
        contents,
        result.summary,
        tuple(result.rows),
        result.standing,
        flags,
    )


def run_flags(contents: ParsedBundle) -> list[str]:
    """Remarks that the manifest alone makes."""
    found = []
    if contents.manifest["code"]["dirty"]:
        found.append("flag.dirty")
    if "scripted" in contents.manifest["models"].values():
        found.append("flag.rehearsal")
    if contents.manifest["subset"]:
        found.append("flag.partial")
    if not contents.summary["complete"]:
        found.append("flag.failures")
    return found


def score_of(line: dict[str, Any]) -> Score:
    """A line of scores.jsonl as a row."""
    return Score(**{**line, "flags": tuple(line["flags"])})


def as_json(result: Verification) -> dict[str, Any]:
    """A verification for other programs."""
    return {
        "accepted": result.accepted,
        "rescored": result.rescored,
        "findings": [
            {"rule": f.rule, "place": f.place, "problem": f.problem, "remedy": f.remedy}
            for f in result.findings
        ],
        "standing": result.standing,
        "flags": list(result.flags),
        "summary": result.summary,
    }
