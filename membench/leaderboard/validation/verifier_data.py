"""Rules 5 and 6: what the verifier itself has to judge a bundle by.

The verifier loads the task and its own copy of the data. Without data nothing can be re-scored;
the bundle is then accepted as unchecked, and says so.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np

from membench.domain.case import Ask, Case, opaque_ids
from membench.domain.errors import DataError, UserError
from membench.domain.labels import JsonObject, Role
from membench.domain.packed import PackedNumbers
from membench.domain.score import Gold
from membench.leaderboard.bundles import layout
from membench.leaderboard.validation.parsing import MANY, ParsedBundle
from membench.leaderboard.validation.rules import Finding, RuleViolation
from membench.readers.registry import choose_reader
from membench.records.attempts import case_number
from membench.records.question_set import QuestionSet
from membench.records.spec import RunSpec
from membench.tasks.base import AnyTask
from membench.tasks.card import TaskCard
from membench.tasks.files.source import Source, file_sha256
from membench.tasks.find import SAMPLE, find_errata, find_source
from membench.tasks.registry import get_task


@dataclass(frozen=True)
class VerifierData:
    """Task and data of the verifier.

    Attributes:
        task: The task with the run's options.
        source: The verifier's own data, of the hash that the bundle names.
        spec: What was run.
    """

    task: AnyTask
    source: Source
    spec: RunSpec

    def cases(self) -> Iterator[tuple[Case, Gold]]:
        """Stream the cases of the run."""
        opaque = opaque_ids(self.task.card.name, self.spec.seed)
        return self.spec.chosen(self.task.cases(self.source, opaque))


def find_task(bundle: ParsedBundle) -> type[AnyTask]:
    """The task's class.

    Raises:
        RuleViolation: `known.task`.
    """
    name = bundle.manifest["task"]["name"]
    try:
        return get_task(name)
    except UserError as error:
        raise RuleViolation("known.task", layout.MANIFEST, error.problem) from None


def load_reference(
    bundle: ParsedBundle, task_type: type[AnyTask], data: Path | None
) -> VerifierData | None:
    """Task and data, or None where the verifier lacks the data but the hash is a published one.

    Raises:
        RuleViolation: A `known.` rule.
    """
    task = read_known(bundle, task_type, data)
    entry, spec = bundle.manifest["task"], bundle.manifest["spec"]
    source = own_source(task_type, entry["split"], data)
    if source is not None and entry["dataset_sha256"] == task.identify(source).sha256:
        return VerifierData(task, source, RunSpec.from_json(spec))
    if entry["dataset_sha256"] not in published(task_type.card, entry["split"]):
        raise RuleViolation(
            "known.dataset",
            f"{layout.MANIFEST}: task.dataset_sha256",
            f"{entry['dataset_sha256'][:12]}… is no file of the split, nor the verifier's",
        )
    return None


def read_known(bundle: ParsedBundle, task_type: type[AnyTask], data: Path | None) -> AnyTask:
    """The task with the run's options, once its prompts, k and split are ones that it has.

    Raises:
        RuleViolation: A `known.` rule, or `schema.spec`.
    """
    manifest = bundle.manifest
    entry = manifest["task"]
    task = make_task(task_type, manifest["spec"], entry, data)
    check_prompts(task, manifest)
    check_k(task_type.card, manifest)
    check_errata(task, manifest)
    if entry["split"] not in (*task_type.card.splits, SAMPLE):
        raise RuleViolation("known.dataset", layout.MANIFEST, f"no split '{entry['split']}'")
    return task


def make_task(
    task_type: type[AnyTask], spec: JsonObject, entry: JsonObject, data: Path | None
) -> AnyTask:
    """The task with the run's options."""
    errata = None
    if spec["errata"]:
        try:
            errata = find_errata(task_type, data)
        except DataError as error:
            location = f"{layout.MANIFEST}: spec.errata"
            raise RuleViolation("known.dataset", location, error.problem) from None
    try:
        task = task_type(spec["task_set"], spec["seed"], errata)
    except UserError as error:
        raise RuleViolation(
            "known.task", f"{layout.MANIFEST}: spec.task_set", error.problem
        ) from None
    if dict(task.options) != entry["options"]:
        raise RuleViolation(
            "known.task", f"{layout.MANIFEST}: task.options", "are not those of the spec"
        )
    return task


def check_errata(task: AnyTask, manifest: JsonObject) -> None:
    """Errata are the verifier's own list."""
    own = file_sha256(task.errata) if task.errata else None
    if manifest["comparison_key"]["errata"] != own:
        location = f"{layout.MANIFEST}: comparison_key.errata"
        raise RuleViolation("known.dataset", location, "is not the hash of the verifier's list")


def check_prompts(task: AnyTask, manifest: JsonObject) -> None:
    """Prompts must be the released ones wherever rows are ranked: the task's, or its reader's."""
    ours = dict(task.prompt_hashes()) | reader_prompt(manifest["spec"]["reader"])
    theirs = manifest["prompts"]
    odd = [name for name, value in theirs.items() if ours.get(name) != value]
    if not {Role.READER, Role.JUDGE}.isdisjoint(manifest["models"]):
        odd += [name for name in ours if name not in theirs]
    if odd and manifest["division"] != "open":
        raise RuleViolation(
            "known.prompts", f"{layout.MANIFEST}: prompts.{odd[0]}", "is not the released prompt"
        )


def reader_prompt(name: str) -> dict[str, str]:
    """The hash of the answer prompt of a reader that has one of its own; empty otherwise."""
    try:
        prompt = choose_reader(name).card.prompt
    except UserError:
        return {}
    return {"answer": hashlib.sha256(prompt.encode()).hexdigest()} if prompt else {}


def check_k(card: TaskCard, manifest: JsonObject) -> None:
    """Without a k of its own, a run has the task's."""
    wanted = card.default_k if manifest["spec"]["k"] is None else manifest["spec"]["k"]
    if manifest["comparison_key"].get("k") != wanted:
        location = f"{layout.MANIFEST}: comparison_key.k"
        raise RuleViolation("schema.spec", location, f"the spec means k {wanted}")


def own_source(task_type: type[AnyTask], split: str, data: Path | None) -> Source | None:
    """The verifier's data of a split, if there is any."""
    try:
        return find_source(task_type, split, data)
    except DataError:
        return None


def published(card: TaskCard, split: str) -> set[str]:
    """Hashes of the published files of a split."""
    return {file.sha256 for file in card.files if file.split == split}


def question_findings(bundle: ParsedBundle, reference: VerifierData) -> list[Finding]:
    """The bundle's cases, events and questions must be those of the data."""
    outline = DataOutline(reference)
    found = chain(
        generation_findings(bundle, sorted(outline.generations)),
        set_findings(bundle, outline.questions),
        () if asks_each_once(bundle, outline) else row_findings(bundle, asked_by(reference)),
        case_findings(bundle, outline.sizes),
    )
    return list(islice(found, MANY))


class DataOutline:
    """What the data asks, without its text: about 60 bytes for a case with one question.

    Attributes:
        generations: The numbers of generations that are asked for.
        questions: The ids of the questions, packed.
        hashes: The hash of each id.
        sizes: How many events each case has.
    """

    def __init__(self, reference: VerifierData) -> None:
        """Read every case once."""
        self.generations: set[int] = set()
        self.questions, self.hashes, self.sizes = QuestionSet(), array("q"), CaseSizes()
        for case, gold in reference.cases():
            ids = [question.question_id for question in gold.questions.values()]
            self.questions.add(ids)
            self.hashes.extend(map(hash, ids))
            self.sizes.add(case)
            self.generations |= {e.generations for e in case.timeline if isinstance(e, Ask)}


class CaseSizes:
    """How many events each case has."""

    def __init__(self) -> None:
        """Start without a case."""
        self._numbers, self._sizes = array("Q"), PackedNumbers()

    def add(self, case: Case) -> None:
        """Take in a case."""
        self._numbers.append(int(case.id, 16))
        self._sizes.append(len(case.timeline))

    def sort(self) -> None:
        """Be ready to be asked."""
        order = np.argsort(np.asarray(self._numbers))
        self._numbers = array("Q", np.asarray(self._numbers)[order].tobytes())
        sizes = self._sizes.values
        self._sizes.values = array(sizes.typecode, np.asarray(sizes)[order].tobytes())

    def of(self, case: str) -> int:
        """The events of a case; 0 of one that there is not."""
        number = case_number(case)
        at = len(self._numbers) if number is None else bisect_left(self._numbers, number)
        known = at < len(self._numbers) and self._numbers[at] == number
        return self._sizes[at] if known else 0


def asks_each_once(bundle: ParsedBundle, outline: DataOutline) -> bool:
    """Whether there is one score row for each question and none of others, by their hashes."""
    rows = array("q", (hash(row.item_id) for row in bundle.scores if row.kind == "question"))
    asked = np.sort(np.asarray(outline.hashes))
    return bool(np.array_equal(np.sort(np.asarray(rows)), asked) and np.diff(asked).all())


def asked_by(reference: VerifierData) -> dict[str, None]:
    """The ids of the questions of the data, in their order."""
    return {
        question.question_id: None
        for _, gold in reference.cases()
        for question in gold.questions.values()
    }


def generation_findings(bundle: ParsedBundle, asked: list[int]) -> Iterator[Finding]:
    """The generations of the comparison key."""
    if bundle.manifest["comparison_key"]["generations"] != asked:
        location = f"{layout.MANIFEST}: comparison_key.generations"
        yield Finding("schema.spec", location, f"the data asks for {asked}")


def set_findings(bundle: ParsedBundle, asked: QuestionSet) -> Iterator[Finding]:
    """The hash of the question set."""
    if asked.sha256() != bundle.manifest["task"]["question_set_sha256"]:
        yield Finding(
            "known.questions",
            f"{layout.MANIFEST}: task.question_set_sha256",
            "is not the hash of the data's question ids",
        )


def row_findings(bundle: ParsedBundle, asked: dict[str, None]) -> Iterator[Finding]:
    """One score row per question, and none of others."""
    there: set[str] = set()
    twice = ""
    for row in bundle.scores:
        if row.kind == "question":
            twice = twice or (row.item_id if row.item_id in there else "")
            there.add(row.item_id)
    for missing in (q for q in asked if q not in there):
        yield Finding("questions.missing", layout.SCORES, f"no row of question '{missing}'")
    for extra in sorted(there - set(asked)):
        yield Finding("questions.extra", layout.SCORES, f"'{extra[:80]}' is no question")
    if twice:
        yield Finding("questions.duplicate", layout.SCORES, f"'{twice[:80]}' has several rows")


def case_findings(bundle: ParsedBundle, sizes: CaseSizes) -> Iterator[Finding]:
    """Records of cases and events that exist."""
    sizes.sort()
    files = ((layout.PLAY, bundle.play), (layout.ANSWERS, bundle.answers))
    for name, lines in files:
        for number, line in enumerate(lines, start=1):
            if line["event"] >= sizes.of(line["case"]):
                where = f"{line['case']}, event {line['event']}"
                yield Finding(
                    "questions.cases", f"{name}: line {number}", f"no such event: {where}"
                )
    for number, line in enumerate(bundle.texts, start=1):
        if not sizes.of(line["case"]):
            yield Finding("questions.cases", f"{layout.TEXTS}: line {number}", "no such case")
