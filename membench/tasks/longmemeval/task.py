"""The LongMemEval task: what its card says, and how its parts fit together.

A case is one instance: its sessions by date (those of one date in file order), `Finalize`, then
the one question, with the question's date as now, also where that lies before the last session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from membench.domain.answer import Message
from membench.domain.case import Case
from membench.domain.errors import DataError
from membench.domain.labels import JsonView
from membench.domain.outcome import PlayedCase
from membench.domain.score import Aggregate, JudgeRequest, Score, Verdict
from membench.tasks.base import Task
from membench.tasks.card import DataFile, JudgeCard, TaskCard
from membench.tasks.files.arrays import stream_array
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source
from membench.tasks.longmemeval.formats import FORMATS
from membench.tasks.longmemeval.gold import TYPES, LongMemEvalGold
from membench.tasks.prompts import unparsable, without_reasoning

HUB = "https://huggingface.co/datasets/xiaowu0162/longmemeval-cleaned"
REVISION = "98d7416c24c778c2fee6e6f3006e7a073259d48f"
LABELS = ("yes", "no")


def hub_file(name: str, split: str, size: int, sha256: str) -> DataFile:
    """A file of the cleaned release."""
    return DataFile(name, split, size, sha256, f"{HUB}/resolve/{REVISION}/{name}", REVISION)


CARD = TaskCard(
    name="longmemeval",
    title="LongMemEval",
    paper="arXiv:2410.10813 (ICLR 2025)",
    licence="MIT",
    may_redistribute_text=True,
    files=(
        hub_file(
            "longmemeval_s_cleaned.json",
            "s",
            277_383_467,
            "d6f21ea9d60a0d56f34a05b609c79c88a451d2ae03597821ea3d5a9678c3a442",
        ),
        hub_file(
            "longmemeval_m_cleaned.json",
            "m",
            2_737_100_077,
            "9d79e5524794a2e6900a3aa9cb7d9152c5a3e8319c9a87c25494ba1eacee495f",
        ),
        hub_file(
            "longmemeval_oracle.json",
            "oracle",
            15_388_478,
            "821a2034d219ab45846873dd14c14f12cfe7776e73527a483f9dac095d38620c",
        ),
    ),
    splits=("s", "m", "oracle"),
    default_split="s",
    categories={name: name for name in TYPES},
    counts=dict(zip(TYPES, (70, 56, 30, 133, 133, 78), strict=True)),
    headline=(
        "evaluable.session.recall_all@5",
        "evaluable.turn.recall_all@10",
        "all_turns.non_abstention.turn.recall_all@10",
        "accuracy",
        "accuracy.task_averaged",
        "abstention",
    ),
    metric_labels={
        "evaluable.session.recall_all@5": "All sessions in the first 5",
        "evaluable.turn.recall_all@10": "All turns in the first 10, evaluable",
        "all_turns.non_abstention.turn.recall_all@10": "All evidence in the first 10",
        "accuracy": "Judged accuracy",
        "accuracy.task_averaged": "Judged accuracy by type",
        "abstention": "Refusal of unanswerable",
    },
    metric_titles={
        "evaluable.session.recall_all@5": (
            "share of questions whose evidence sessions are all in the first 5"
        ),
        "evaluable.turn.recall_all@10": (
            "share of questions whose evidence turns are all in the first 10"
        ),
        "all_turns.non_abstention.turn.recall_all@10": (
            "share of answerable questions whose evidence turns are all in the first 10 memories"
        ),
        "accuracy": "share of answers that the judge calls correct",
        "accuracy.task_averaged": (
            "share of answers that the judge calls correct, each question type counting alike"
        ),
        "abstention": "share of unanswerable questions that were refused",
    },
    main_metric="accuracy",
    offline_metric="all_turns.non_abstention.turn.recall_all@10",
    default_k=50,
    answer_limit=512,
    warning="21 of the 500 answers are disputed: see docs/tasks/longmemeval.md.",
    patterns={
        split: tuple(
            f"longmemeval_{split}{rest}{suffix}"
            for rest in ("", "[-_]*")
            for suffix in (".json", ".json.gz", ".parquet", ".arrow", ".jsonl", ".jsonl.gz")
        )
        for split in ("s", "m", "oracle")
    },
    errata=("longmemeval_disputed_gold.json",),
    judges={
        "base": JudgeCard(
            "judge_base.txt",
            LABELS,
            "fba020ba3d57982efdc9a937c1c01f897b789a608c7f88e60244121f6505e5bc",
            one_word=True,
            accepts=("yes",),
            label_fields=("autoeval_label",),
            reference="gold",
        ),
        "temporal": JudgeCard(
            "judge_temporal.txt",
            LABELS,
            "8d33a5fdd83afeeb4592454a965eab43d1fcb2dedc042d1d3892f4254be6c273",
            one_word=True,
            accepts=("yes",),
            label_fields=("autoeval_label",),
            reference="gold",
        ),
        "update": JudgeCard(
            "judge_update.txt",
            LABELS,
            "183a9b3a6197ec620940f610cdc1207201ec98c1113dd633ea685cfc322fafac",
            one_word=True,
            accepts=("yes",),
            label_fields=("autoeval_label",),
            reference="gold",
        ),
        "preference": JudgeCard(
            "judge_preference.txt",
            LABELS,
            "741ee3bcbea7ff5e8ed359acef61d2f8ded3de021bbcff6ee13de455f2e2aa9b",
            one_word=True,
            accepts=("yes",),
            label_fields=("autoeval_label",),
        ),
        "abstention": JudgeCard(
            "judge_abstention.txt",
            LABELS,
            "5c0b365a1e1d06db36377c735432b56e122ca3c428f89faf61d43a0d5a7e050b",
            one_word=True,
            accepts=("yes",),
            label_fields=("autoeval_label",),
            wants_refusal=True,
        ),
    },
)


class LongMemEval(Task[LongMemEvalGold]):
    """LongMemEval, as its authors score it, with a track over all turns beside."""

    card = CARD
    prediction_formats = FORMATS

    def cases(
        self, source: Source, opaque: Callable[[str], str]
    ) -> Iterator[tuple[Case, LongMemEvalGold]]:
        """One case per instance; see `Task.cases`."""
        from membench.tasks.files.tables import stream_rows
        from membench.tasks.longmemeval.loader import read_case

        disputed = self.disputed()
        seen: set[str] = set()
        for node in stream_rows(source):
            case, gold = read_case(node, opaque, disputed)
            if gold.case_id in seen:
                raise node["question_id"].error(f"'{gold.case_id}' is already there")
            seen.add(gold.case_id)
            yield case, gold
        if not seen:
            raise DataError(source.path, "", "the file holds no instance")

    def disputed(self) -> Mapping[str, str | None] | None:
        """Questions whose answer somebody disputes, if that list is to be overlaid.

        With each the answer that is claimed instead; None where there is none, or only a remark
        in brackets.
        """
        if self.errata is None:
            return None
        lines = stream_array(Source(self.errata, "errata"))
        nodes = (Node(line, self.errata, f"[{i}]") for i, line in enumerate(lines))
        return {node["question_id"].text(): claimed_answer(node) for node in nodes}

    def judgements(self, played: PlayedCase, gold: LongMemEvalGold) -> Sequence[JudgeRequest]:
        """One request per answered question, by type, abstentions first."""
        from membench.tasks.longmemeval.scoring import requests

        return requests(played, gold)

    def judge_messages(self, request: JudgeRequest, official: str | None = None) -> list[Message]:
        """The judge prompt of `request.kind`, filled in.

        Args:
            request: What is to be judged.
            official: The benchmark's own template, loaded by a user in place of ours: a format
                string with three unnamed places for question, gold and answer.
        """
        if official is None:
            return super().judge_messages(request)
        fields = (request.fields[name] for name in ("question", "gold", "answer"))
        return [Message("user", official.format(*fields))]

    def parse_verdict(self, request: JudgeRequest, reply: str) -> JsonView:
        """`yes` or `no`, alone in a reply.

        Raises:
            JudgeFault: The reply says anything else; never a score.
        """
        label = without_reasoning(reply).strip(".!*\"'` \n").lower()
        if label not in LABELS:
            raise unparsable("the reply is neither yes nor no")
        return {"label": label}

    def score(
        self, played: PlayedCase, gold: LongMemEvalGold, verdicts: Mapping[str, Verdict]
    ) -> Sequence[Score]:
        """One row for the one question; see `scoring`."""
        from membench.tasks.longmemeval.scoring import score_case

        return score_case(played, gold, verdicts)

    def aggregate(self, scores: Iterable[Score]) -> Aggregate:
        """Means over questions, by type, and the mean of the types."""
        from membench.metrics.aggregate import aggregate
        from membench.tasks.longmemeval.scoring import with_task_average

        return with_task_average(aggregate(scores, self.card.categories))


def claimed_answer(node: Node) -> str | None:
    """The answer that a line of the list claims."""
    claim = node.get("claimed_answer")
    text = claim.answer().strip() if claim is not None else ""
    return None if text.startswith("(") else text or None


TASK = LongMemEval
