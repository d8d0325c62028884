"""Every rule a bundle can break: what it asks for, and what to do when it is broken.

The ids are stable words: reports, tests and documentation name rules by them.
"""

from __future__ import annotations

from dataclasses import dataclass

REMAKE = "Make the bundle again with `membench submit RUN`; do not edit its files."
RESCORE = (
    "Score the run again (`membench score RUN`) with the same membench and make the bundle again."
)


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        id: Its name.
        title: What it asks for.
        remedy: What to do when it is broken.
    """

    id: str
    title: str
    remedy: str


RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        # 1 the envelope
        Rule("wire.kind", "A bundle is a folder or a zip file.", REMAKE),
        Rule("wire.size", "A bundle is at most 64 MiB as sent.", "Submit one run per bundle."),
        Rule("wire.unpacked", "A bundle unpacks to at most 512 MiB.", REMAKE),
        Rule("wire.entries", "A bundle holds at most 16 entries.", REMAKE),
        Rule("wire.name", "Entries have the names of the allow-list, without folders.", REMAKE),
        Rule("wire.duplicate", "No two entries have one name.", REMAKE),
        Rule("wire.link", "Entries are plain files: no links, folders or devices.", REMAKE),
        Rule("wire.missing", "Every required file is there.", REMAKE),
        Rule("wire.gzip", "Compressed entries are complete gzip files.", REMAKE),
        # 2 checksums
        Rule("checksums.format", "SHA256SUMS has the format of sha256sum.", REMAKE),
        Rule("checksums.listed", "SHA256SUMS lists every other file once, and no more.", REMAKE),
        Rule("checksums.match", "Every file has the hash that SHA256SUMS says.", REMAKE),
        # 3 strict JSON
        Rule("json.utf8", "Text is UTF-8.", REMAKE),
        Rule("json.syntax", "Every line is one JSON object.", REMAKE),
        Rule("json.duplicate_key", "No object has a key twice.", REMAKE),
        Rule("json.number", "Numbers are finite: no NaN, Infinity or 1e999.", REMAKE),
        Rule("json.integer", "Integers have at most 18 digits.", REMAKE),
        Rule("json.depth", "Values nest at most 24 deep.", REMAKE),
        Rule("json.line", "A line is at most 4 MiB.", REMAKE),
        Rule("json.lines", "A file has at most 2,000,000 lines.", "Submit fewer questions."),
        Rule("json.values", "A file holds at most 20,000,000 values.", "Submit fewer questions."),
        Rule("json.character", "Strings hold no control or direction characters.", REMAKE),
        # 4 schema
        Rule(
            "schema.version",
            "The schema is one that this membench reads.",
            "Upgrade membench on the side that is older.",
        ),
        Rule("schema.manifest", "manifest.json fits its schema, without further keys.", REMAKE),
        Rule("schema.summary", "summary.json fits its schema, without further keys.", REMAKE),
        Rule("schema.record", "Records fit their schema, without further keys.", REMAKE),
        Rule(
            "schema.spec",
            "Spec, hash, division and comparison key of the manifest agree.",
            REMAKE,
        ),
        Rule("schema.agree", "Summary and manifest speak of the same run.", REMAKE),
        Rule(
            "private.path",
            "No path, host or user name of the submitter is in the bundle.",
            "Remove it from the parameters (use relative names), run again, and submit that run.",
        ),
        Rule(
            "private.text",
            "Texts that the task's licence forbids are not in the bundle.",
            REMAKE,
        ),
        # 5 known
        Rule("known.task", "The task is one this board has.", "Install the task's package."),
        Rule(
            "known.dataset",
            "The data is a published file, the sample, or the verifier's own copy.",
            "Run on the published file: `membench data get TASK`.",
        ),
        Rule(
            "known.system",
            "Who has the name of a system of membench is that system, as its card says.",
            "Run a system of your own under a name of its own.",
        ),
        Rule(
            "known.questions",
            "The question set is that of the data.",
            "Run on the published file with a released membench.",
        ),
        Rule(
            "known.prompts",
            "Answer and judge prompts are the released ones, unless the division is open.",
            "Run with a released membench and without --prompts.",
        ),
        # 6 questions
        Rule("questions.missing", "Every question of the data has a score row.", RESCORE),
        Rule("questions.extra", "No score row is of a question that the data lacks.", RESCORE),
        Rule("questions.duplicate", "No question has two score rows.", RESCORE),
        Rule("questions.cases", "Records are of cases and events of the data.", REMAKE),
        # 7 ranges
        Rule("range.metric", "Values lie in the range of their metric.", RESCORE),
        Rule("range.interval", "An interval is ordered and holds its value.", RESCORE),
        Rule("range.count", "Counts add up.", RESCORE),
        Rule("range.time", "Spans end after they start; costs are not negative.", REMAKE),
        # 8 re-scoring
        Rule(
            "rescore.answer",
            "Answers hash to their sha256; spans lie inside turns or memories that exist.",
            REMAKE,
        ),
        Rule("rescore.memory", "Recalled numbers and their sources exist.", REMAKE),
        Rule("rescore.tokens", "Context tokens are the sum over the recalled memories.", REMAKE),
        Rule(
            "rescore.reader",
            "A reader without a model, asked again, answers the same.",
            "Answer again with a released membench: `membench read RUN`.",
        ),
        Rule("rescore.score", "Score rows are what the records come to.", RESCORE),
        Rule("rescore.count", "Counts are what the records come to.", RESCORE),
        Rule("rescore.metric", "Metrics and intervals are what the score rows come to.", RESCORE),
        Rule("rescore.cost", "Costs are the sum over the records.", RESCORE),
        Rule("rescore.energy", "Energy is what samples and spans come to.", RESCORE),
        Rule("rescore.content", "content_sha256 is the hash of the records.", RESCORE),
        # 9 plausibility
        Rule(
            "plausible.overlap",
            "A case is played in order: its spans do not overlap.",
            "Submit the run as it was recorded.",
        ),
        Rule(
            "plausible.clock",
            "Spans are of the time between the run's creation and now.",
            "Submit the run as it was recorded.",
        ),
        Rule(
            "plausible.usage",
            "An answer of a model is a call of that model.",
            "Submit the run as it was recorded.",
        ),
        Rule(
            "check.ended",
            "Every check of the bundle comes to its end.",
            "Make the bundle again; if it is refused again, report it with the bundle.",
        ),
        Rule(
            "check.limits",
            "Checking a bundle takes at most 4 GiB, 600 CPU seconds and half an hour.",
            "Submit fewer questions, or report it with the bundle.",
        ),
        # 10 identity
        Rule(
            "identity.replay",
            "The store does not hold this bundle already.",
            "Nothing to do: it is there under the id that is named.",
        ),
        Rule(
            "identity.run",
            "A run id names one bundle for good.",
            "Make a new run; accepted bundles are never replaced.",
        ),
    )
}

FLAGS: dict[str, str] = {
    "flag.gold": "answers are identical to the gold unusually often",
    "flag.copy": "another bundle in the store has the same content",
    "flag.cpu": "more CPU seconds than the cores could give in that time",
    "flag.instant": "most events took no time, or all of them no CPU",
    "flag.unrecorded": "more model calls of the system were paid than its records have",
    "flag.sources": "its model repeats turns word for word that it does not name as sources",
    "flag.dirty": "the code had uncommitted changes",
    "flag.version": "the system's version is not the one known here: its settings were not checked",
    "flag.rehearsal": "a scripted model took part: a rehearsal, never ranked",
    "flag.partial": "a subset of the questions; never ranked",
    "flag.handed_in": "the answers were made elsewhere and handed in: self-reported, never ranked",
    "flag.failures": "some events failed; never ranked",
    "flag.empty": "nothing was stored in any history; never ranked",
    "flag.state": "it recalled texts of an earlier case after its reset; never ranked",
    "flag.claimed": "some figures cannot be re-scored from this bundle",
    "flag.unverified": "the verifier has no data of this task, so nothing was re-scored",
}
"""What does not refuse a bundle but is shown beside it."""


@dataclass(frozen=True)
class Finding:
    """One broken rule.

    Attributes:
        rule: Id of the rule.
        location: Where: file, line, key.
        problem: What is wrong there.
    """

    rule: str
    location: str
    problem: str

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return RULES[self.rule].remedy

    def __str__(self) -> str:
        """One line: location, problem, rule."""
        return f"{self.location}: {self.problem} [{self.rule}]"


class RuleViolation(Exception):
    """A rule was broken where reading cannot go on."""

    def __init__(self, rule: str, location: str, problem: str) -> None:
        """Carry the finding."""
        super().__init__(f"{location}: {problem} [{rule}]")
        self.finding = Finding(rule, location, problem)
