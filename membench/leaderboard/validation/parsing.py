"""Rules 3 and 4: strict JSON, then the schema of every file, then that the files agree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from pydantic import TypeAdapter, ValidationError

from membench.domain.labels import JsonObject, JsonView
from membench.leaderboard.bundles import (
    layout,
    manifest_schema,
    score_table,
    summary_schema,
)
from membench.leaderboard.bundles.bundle import strings
from membench.leaderboard.bundles.field_types import StrictModel
from membench.leaderboard.bundles.layout import LIMITS, Limits
from membench.leaderboard.bundles.line_schema import (
    PLAY_LINES,
    AnswerLine,
    GateLine,
    PlayEntry,
    TextLine,
    VerdictEntry,
)
from membench.leaderboard.bundles.score_schema import (
    HEADER,
    NAMES,
    ROW,
    SCORE_LINES,
    ScoreEntry,
    kind_of_score_line,
)
from membench.leaderboard.bundles.score_table import ScoreLines
from membench.leaderboard.bundles.withholding import private
from membench.leaderboard.validation.checked_lines import LinesFile, LinesFolder, ScoreFile
from membench.leaderboard.validation.rules import RuleViolation
from membench.leaderboard.validation.strict import parse_lines, parse_object
from membench.leaderboard.validation.unpacking import UnpackedBundle
from membench.records.manifest import SCHEMA, Manifest
from membench.records.run_directory import MALFORMED
from membench.records.summary import Summary

MANY = 20
"""Findings reported of one kind; a broken file breaks the same rule on every line."""

LINE_KINDS = frozenset({*SCORE_LINES, *PLAY_LINES})
"""Words that pydantic puts into the place of a fault, and that are no keys."""

FITTED_AT_ONCE = 1_000
"""Lines whose faults are collected together."""


@dataclass(frozen=True)
class BundleHead:
    """What a bundle says of itself as a whole.

    Attributes:
        sha256: What identifies it.
        manifest: manifest.json.
        summary: summary.json, the claim.
    """

    sha256: str
    manifest: JsonObject
    summary: JsonObject


@dataclass(frozen=True)
class ParsedBundle(BundleHead):
    """A bundle that fits the schema, file by file.

    Attributes:
        play: Lines of play.jsonl that record an event.
        notes: The others.
        texts: Lines of texts.jsonl, with an empty text each.
        answers: Lines of answers.jsonl.
        scores: Rows of scores.jsonl, the claim row by row.
        verdicts: Lines of verdicts by judge key.
        candidates: What each judge said about candidates made from gold, likewise.
        energy: Lines of energy.jsonl; None without samples.
        gate: Lines of reader_gate.jsonl; None where the reader was not asked, and in bundles from
            before they held them.
    """

    play: LinesFile
    notes: Sequence[JsonView]
    texts: LinesFile
    answers: LinesFile
    scores: ScoreFile
    verdicts: Mapping[str, LinesFile]
    candidates: Mapping[str, LinesFile]
    energy: LinesFile | None
    gate: LinesFile | None = None


def parse_bundle(opened: UnpackedBundle, limits: Limits = LIMITS) -> ParsedBundle:
    """Parse and check every file.

    Raises:
        RuleViolation: The first `json.` or `schema.` rule that is broken.
    """
    manifest = parse_object(opened.read(layout.MANIFEST), layout.MANIFEST, limits)
    summary = parse_object(opened.read(layout.SUMMARY), layout.SUMMARY, limits)
    check_version(manifest, layout.MANIFEST)
    check_version(summary, layout.SUMMARY)
    check_model(manifest_schema.Manifest, manifest, layout.MANIFEST, "schema.manifest")
    check_model(summary_schema.Summary, summary, layout.SUMMARY, "schema.summary")
    folder = LinesFolder()
    read = partial(read_file, opened, folder, limits)
    texts = read(layout.TEXTS, TextLine, with_empty_text)
    answers = read(layout.ANSWERS, AnswerLine)
    scores = ScoreFile(read(layout.SCORES, ScoreEntry, checked_table))
    there = opened.stored
    gate = read(layout.GATE, GateLine) if layout.GATE in there else None
    verdicts = read_judges(opened, layout.VERDICTS, read)
    candidates = read_judges(opened, layout.CALIBRATION, read)
    energy = read(layout.ENERGY, None, checked_energy) if layout.ENERGY in there else None
    notes: list[JsonView] = []
    play = read(layout.PLAY, PlayEntry, partial(without_notes, notes))
    return ParsedBundle(
        opened.sha256,
        manifest,
        summary,
        play,
        notes,
        texts,
        answers,
        scores,
        verdicts,
        candidates,
        energy,
        gate,
    )


def manifest_of(opened: UnpackedBundle) -> Manifest:
    """The manifest of a bundle as a class, of one that nobody verified too.

    Raises:
        RuleViolation: It is not JSON that every reader understands alike, or lacks something.
    """
    return manifest_from(parse_object(opened.read(layout.MANIFEST), layout.MANIFEST))


def manifest_from(stored: JsonView) -> Manifest:
    """A manifest that was read strictly, as a class.

    Raises:
        RuleViolation: It lacks something.
    """
    try:
        return Manifest.from_json(stored)
    except MALFORMED as error:
        problem = f"cannot be read: {error}"[:300]
        raise RuleViolation("schema.manifest", layout.MANIFEST, problem) from None


def summary_of(opened: UnpackedBundle) -> Summary:
    """The summary of a bundle as a class: the claim.

    Raises:
        RuleViolation: It is not JSON that every reader understands alike, or lacks something.
    """
    stored = parse_object(opened.read(layout.SUMMARY), layout.SUMMARY)
    try:
        return Summary.from_json(stored)
    except MALFORMED as error:
        problem = f"cannot be read: {error}"[:300]
        raise RuleViolation("schema.summary", layout.SUMMARY, problem) from None


def check_version(value: JsonObject, name: str) -> None:
    """Refuse a newer schema before anything else of it is looked at."""
    version = value.get("schema")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= SCHEMA:
        raise RuleViolation("schema.version", name, f"schema {version!r}; this reads 1 to {SCHEMA}")


def check_model(model: type[StrictModel], value: object, location: str, rule: str) -> None:
    """Fit one value to its model."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        raise RuleViolation(rule, *located(error, location)) from None


def read_file(
    opened: UnpackedBundle,
    folder: LinesFolder,
    limits: Limits,
    name: str,
    model: object,
    after: Callable[[Iterator[JsonObject]], Iterator[JsonObject]] = iter,
) -> LinesFile:
    """Parse a file of lines, fit each to its model, and keep them on disk.

    Args:
        opened: The bundle.
        folder: Where.
        limits: Sizes.
        name: The file.
        model: What a line must be; None for a file without a schema of its own.
        after: What else is to be seen to.
    """
    with opened.open(name) as file:
        lines = parse_lines(file, name, limits)
        checked = lines if model is None else fitted(lines, model, name)
        return LinesFile(folder, name.removesuffix(".gz"), after(checked))


def with_empty_text(lines: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Lines of texts.jsonl as a run's journal has them."""
    return ({**line, "text": ""} for line in lines)


def without_notes(notes: list[JsonView], lines: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Records of events; the others are put into `notes`."""
    for line in lines:
        if "note" in line:
            notes.append(line)
        else:
            yield line


def checked_table(lines: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Lines of scores.jsonl of either schema, whose rows have a value for each name."""
    table, packed = ScoreLines(), False
    for number, line in enumerate(lines, start=1):
        location = f"{layout.SCORES}: line {number}"
        kind = kind_of_score_line(line)
        if kind == HEADER:
            if line["schema"] != score_table.SCHEMA:
                problem = f"schema {line['schema']}; this reads 1 and {score_table.SCHEMA}"
                raise RuleViolation("schema.version", location, problem)
            packed = True
        if (kind == HEADER) != (number == 1 and packed) or (kind == ROW) > packed:
            raise RuleViolation("schema.record", location, "the schema belongs into the first line")
        if kind == NAMES and len(set(line["metrics"])) != len(line["metrics"]):
            raise RuleViolation("schema.record", location, "names a metric twice")
        try:
            table.row(line)
        except (LookupError, ValueError):
            problem = "has not a value for each of the metrics that it names"
            raise RuleViolation("schema.record", location, problem) from None
        yield line


def checked_energy(lines: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Lines of the sampler, whose strings are short and name no path or host."""
    for number, line in enumerate(lines, start=1):
        location = f"{layout.ENERGY}: line {number}"
        for text in strings(line):
            if len(text) > 1000:
                raise RuleViolation(
                    "schema.record", location, "a string of more than 1,000 characters"
                )
            if private(text):
                raise RuleViolation(
                    "private.path", location, f"{text[:60]!r} looks like a path or a host"
                )
        yield line


def read_judges(
    opened: UnpackedBundle, pattern: re.Pattern[str], read: Callable[[str, object], LinesFile]
) -> dict[str, LinesFile]:
    """Files of judges by the key in their names."""
    return {
        match[1]: read(name, VerdictEntry)
        for name in sorted(opened.stored)
        if (match := pattern.fullmatch(name))
    }


def fitted(lines: Iterable[JsonObject], model: object, name: str) -> Iterator[JsonObject]:
    """The lines, up to the first part with one that does not fit."""
    adapter: TypeAdapter[object] = TypeAdapter(list[model])  # type: ignore[valid-type]
    left, start = iter(lines), 0
    while part := list(islice(left, FITTED_AT_ONCE)):
        try:
            adapter.validate_python(part)
        except ValidationError as error:
            raise RuleViolation("schema.record", *located(error, name, start)) from None
        yield from part
        start += len(part)


def located(error: ValidationError, name: str, start: int = 0) -> tuple[str, str]:
    """Where a value does not fit, and how; the value itself is not repeated.

    Args:
        error: Of one value or of a part of a file.
        name: The file.
        start: Lines before that part.
    """
    first = error.errors(include_input=False, include_url=False)[0]
    parts = list(first["loc"])
    line = f": line {int(parts.pop(0)) + 1 + start}" if parts and isinstance(parts[0], int) else ""
    where = ".".join(str(part)[:80] for part in parts if part not in LINE_KINDS)
    location = f"{name}{line}" + (f": {where}" if where else "")
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return location, first["msg"][:200] + more


# --- what the files say of each other ----------------------------------------------------------
