"""One validator for the command line, for CI and for the server.

In goes a bundle (a folder or a zip file), out comes a `Verification`:

    verify(Path("bundle")).accepted   -> False
    verify(Path("bundle")).findings   -> (Finding("wire.missing", "play.jsonl.gz", "..."),)

The rules (`rules`) are checked in stages, a module each, and a stage with findings is the last:

    unpacking      the entries of the archive, their sizes and checksums
    strict         JSON that every reader understands alike
    parsing        the schema of every file; what the files say of each other
    verifier_data  task, data, prompts and questions are known to the verifier
    ranges         ranges of figures, sums of counts, order of times
    scoring        the records scored anew (with reconstruct, references, diff)

What the verifier computes is what the board shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from membench.domain.errors import UserError
from membench.domain.labels import JsonObject
from membench.leaderboard.bundles.layout import LIMITS, Limits
from membench.leaderboard.validation.agreement import disagreements, text_findings
from membench.leaderboard.validation.energy import energy_findings
from membench.leaderboard.validation.parsing import MANY, BundleHead, ParsedBundle, parse_bundle
from membench.leaderboard.validation.ranges import range_findings
from membench.leaderboard.validation.rules import FLAGS, RULES, Finding, Rule, RuleViolation
from membench.leaderboard.validation.scoring import MetricOrigin, RescoreResult, rescore
from membench.leaderboard.validation.systems import system_flags
from membench.leaderboard.validation.unpacking import UnpackedBundle, open_bundle
from membench.leaderboard.validation.verifier_data import (
    VerifierData,
    find_task,
    load_reference,
    question_findings,
    read_known,
)
from membench.records.cost_summary import StoredMemories
from membench.tasks.base import AnyTask

__all__ = ["FLAGS", "RULES", "Finding", "Rejected", "Rule", "Verification", "as_json", "verify"]

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
        bundle: The bundle; None if it could not be read.
        summary: The figures to show: the verifier's own where it could compute them.
        origins: Metric name -> `re-scored`, `judged` or `claimed`.
        flags: Remarks, keys of `FLAGS`.
    """

    findings: tuple[Finding, ...] = ()
    bundle: BundleHead | None = None
    summary: JsonObject = field(default_factory=dict)
    origins: dict[str, MetricOrigin] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether no rule was broken."""
        return not self.findings

    @property
    def rescored(self) -> bool:
        """Whether the verifier had the data."""
        return bool(self.origins)

    def accept(self) -> BundleHead:
        """The bundle, once it is accepted.

        Raises:
            Rejected: A rule was broken.
        """
        if self.findings or self.bundle is None:
            raise Rejected(self.findings)
        return self.bundle


def verify(path: Path, data: Path | None = None, limits: Limits = LIMITS) -> Verification:
    """Check a bundle against every rule.

    Whatever a check raises is a finding of the bundle: one bundle never keeps others from being
    checked.

    Args:
        path: A folder or a zip file.
        data: The verifier's benchmark data: a file or a folder; None looks where `run` does.
        limits: Sizes.
    """
    return guarded(lambda: verify_parsed(parse_bundle(open_bundle(path, limits), limits), data))


def verify_form(opened: UnpackedBundle) -> Verification:
    """Check a bundle against the rules that need no data of its task."""
    return guarded(lambda: checked_form(parse_bundle(opened)))


def guarded(check: Callable[[], Verification]) -> Verification:
    """Run a check; what it raises becomes a finding."""
    try:
        return check()
    except RuleViolation as violation:
        return Verification((violation.finding,))
    except MemoryError:
        return Verification((Finding("check.limits", "bundle", "takes more memory than allowed"),))
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"[:300]
        return Verification((Finding("check.ended", "bundle", problem),))


def checked_form(bundle: ParsedBundle) -> Verification:
    """Check what the files say of each other, and ranges."""
    task, findings = agreement(bundle)
    if task is not None:
        read_known(bundle, task, None)
        findings = next(filter(None, (stage() for stage in stages(bundle, None))), [])
    return Verification(tuple(findings), bundle) if findings else unverified(bundle)


def agreement(bundle: ParsedBundle) -> tuple[type[AnyTask] | None, list[Finding]]:
    """The task, if what the files say of each other holds, else what does not.

    Raises:
        RuleViolation: `known.task`.
    """
    if findings := disagreements(bundle):
        return None, findings
    task = find_task(bundle)
    texts = list(text_findings(bundle, text_allowed=task.card.may_redistribute_text))
    return (None, texts[:MANY]) if texts else (task, [])


def verify_parsed(bundle: ParsedBundle, data: Path | None) -> Verification:
    """Check a bundle that has been read.

    Raises:
        RuleViolation: A rule without which the rest means nothing.
    """
    task, findings = agreement(bundle)
    if task is None:
        return Verification(tuple(findings), bundle)
    reference = load_reference(bundle, task, data)
    for stage in stages(bundle, reference):
        if found := stage():
            return Verification(tuple(found), bundle)
    if reference is None:
        return unverified(bundle)
    return rescored(bundle, reference)


def stages(bundle: ParsedBundle, reference: VerifierData | None) -> Iterator[Stage]:
    """The stages between schema and re-scoring."""
    if reference is not None:
        yield lambda: question_findings(bundle, reference)
    yield lambda: range_findings(bundle)
    yield lambda: energy_findings(bundle)


def unverified(bundle: ParsedBundle) -> Verification:
    """What can be said of a bundle without its data."""
    flags = (*run_flags(bundle), "flag.unverified")
    return Verification((), bundle, bundle.summary, {}, flags)


def rescored(bundle: ParsedBundle, reference: VerifierData) -> Verification:
    """Re-score a bundle and compare."""
    result: RescoreResult = rescore(bundle, reference)
    flags = (*run_flags(bundle), *result.flags)
    return Verification(
        tuple(result.findings),
        bundle,
        result.summary,
        result.origins,
        flags,
    )


def run_flags(bundle: ParsedBundle) -> list[str]:
    """Remarks that the manifest alone makes."""
    found = system_flags(bundle.manifest)
    if bundle.manifest["code"]["dirty"]:
        found.append("flag.dirty")
    if "scripted" in bundle.manifest["models"].values():
        found.append("flag.rehearsal")
    if bundle.manifest["system"]["protocol"] == "handed-in":
        found.append("flag.handed_in")
    if bundle.manifest["subset"]:
        found.append("flag.partial")
    if any(note.get("carried_over") for note in bundle.notes):
        found.append("flag.state")
    if not bundle.summary["complete"]:
        found.append("flag.failures")
    stored = StoredMemories.from_json(bundle.summary.get("stored"))
    if stored.nothing and bundle.manifest["system"].get("reference") != "floor":
        found.append("flag.empty")
    return found


def as_json(result: Verification) -> JsonObject:
    """A verification for other programs."""
    return {
        "accepted": result.accepted,
        "rescored": result.rescored,
        "findings": [
            {"rule": f.rule, "place": f.location, "problem": f.problem, "remedy": f.remedy}
            for f in result.findings
        ],
        "standing": result.origins,
        "flags": list(result.flags),
        "summary": result.summary,
    }
