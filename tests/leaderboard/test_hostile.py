# ruff: noqa: E501  (one attack, one line)
"""What strangers send. Every bundle here breaks one rule, and is refused by that rule's name."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from membench.leaderboard.bundles.layout import Limits
from membench.leaderboard.validation import verify
from membench.records.spec import RunSpec
from membench.tasks.registry import get_task
from tests.leaderboard.conftest import Spoil

M, S = "manifest.json", "summary.json"
PLAY, TEXTS, ANSWERS, SCORES = (f"{n}.jsonl.gz" for n in ("play", "texts", "answers", "scores"))
Attack = Callable[[Spoil], Any]


def setter(*path: Any, to: Any) -> Callable[[Any], None]:
    """Set one value deep inside a JSON value."""

    def change(value: Any) -> None:
        for key in path[:-1]:
            value = value[key]
        value[path[-1]] = to

    return change


def first_ask(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return next(line for line in lines if line["phase"] == "recall")


def both(*path: Any, to: Any) -> Attack:
    """Set a value in manifest and summary alike."""

    def attack(spoil: Spoil) -> None:
        for name in (M, S):
            spoil.json(name, setter(*path, to=to))

    return attack


def headline(spoil: Spoil) -> None:
    """A better score in the summary alone."""
    spoil.json(
        S, setter("metrics", "f1", to={"value": 0.99, "ci95": [0.9, 1.0], "n": 32, "clusters": 2})
    )


def consistent_lie(spoil: Spoil) -> None:
    """Better scores in rows and summary alike: arithmetic is right, answers are not."""

    def lift(lines: list[dict[str, Any]]) -> None:
        for row in lines:
            row["values"]["f1"] = 1.0

    spoil.lines(SCORES, lift)
    headline(spoil)


def hidden_settings(spoil: Spoil) -> None:
    """A spec with a temperature, its hash right, under the key of runs without one."""

    def change(manifest: dict[str, Any]) -> None:
        manifest["spec"]["model_set"] = {"reader.temperature": 0.5}
        manifest["spec_sha256"] = RunSpec.from_json(manifest["spec"]).sha256

    spoil.json(M, change)


def cheap_memories(spoil: Spoil) -> None:
    """Every memory is one token long, and contexts add up."""
    spoil.lines(TEXTS, lambda ls: [{**line, "tokens": 1} for line in ls])

    def add_up(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            if "memories" in line["content"]:
                line["telemetry"]["context_tokens"] = len(line["content"]["memories"])

    spoil.lines(PLAY, add_up)


def dropped_question(spoil: Spoil) -> None:
    spoil.lines(SCORES, lambda lines: lines[1:])


def twice(name: str) -> Attack:
    return lambda spoil: spoil.lines(name, lambda lines: [lines[0], *lines])


def renamed_question(lines: list[dict[str, Any]]) -> None:
    lines.append({**lines[0], "item_id": "sample-1/q999"})


def link(spoil: Spoil) -> None:
    target = spoil.path / "verdicts.evil.jsonl.gz"
    target.symlink_to(spoil.path / PLAY)


def folder_inside(spoil: Spoil) -> None:
    (spoil.path / "verdicts.evil.jsonl.gz").mkdir()


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


FOLDERS: list[tuple[str, str, Attack]] = [
    # 1 the envelope
    ("wire.name", "a file beside the allowed ones", lambda s: s.raw("evil.pkl", b"x")),
    ("wire.name", "a Parquet file", lambda s: s.raw("records.parquet", b"PAR1")),
    ("wire.name", "forged badges", lambda s: s.raw("badges.json", b'{"score":"reproduced"}')),
    ("wire.link", "a symbolic link", link),
    ("wire.link", "a folder with an allowed name", folder_inside),
    ("wire.missing", "no scores", lambda s: (s.path / SCORES).unlink()),
    ("wire.missing", "no checksums", lambda s: (s.path / "SHA256SUMS").unlink()),
    ("wire.gzip", "half a gzip file", lambda s: s.raw(PLAY, (s.path / PLAY).read_bytes()[:50])),
    ("wire.gzip", "no gzip file at all", lambda s: s.raw(TEXTS, b"{}")),
    ("wire.unpacked", "a gzip bomb", lambda s: s.raw(PLAY, gzip.compress(b"\0" * 2**24) * 33)),
    # 2 checksums
    ("checksums.match", "a file changed after", lambda s: (s.path / S).write_bytes(b"{}")),
    ("checksums.format", "not sha256sum's format", lambda s: (s.path / "SHA256SUMS").write_bytes(b"x")),
    ("checksums.format", "sums in another order", lambda s: (s.path / "SHA256SUMS").write_bytes(b"".join(reversed((s.path / "SHA256SUMS").read_bytes().splitlines(keepends=True))))),
    ("checksums.format", "sums with stars", lambda s: (s.path / "SHA256SUMS").write_bytes((s.path / "SHA256SUMS").read_bytes().replace(b"  ", b" *"))),
    ("checksums.listed", "a file not listed", lambda s: (s.path / "SHA256SUMS").write_bytes(b"")),
    # 3 strict JSON
    ("json.number", "NaN", lambda s: s.text(S, '"recalled": {', '"recalled": {"x": NaN,')),
    ("json.number", "Infinity", lambda s: s.text(PLAY, '"cpu_s":', '"cpu_s":Infinity,"x":')),
    ("json.number", "1e999", lambda s: s.text(M, '"attempts": 1', '"attempts": 1e999')),
    ("json.duplicate_key", "a key twice", lambda s: s.text(M, '"attempts": 1', '"attempts": 1, "attempts": 1')),
    ("json.duplicate_key", "a score twice", lambda s: s.text(SCORES, '"values":', '"values":[],"values":')),
    ("json.integer", "a huge integer", lambda s: s.text(M, '"attempts": 1', '"attempts": ' + "9" * 9999)),
    ("json.depth", "30 levels", lambda s: s.text(M, '"attempts": 1', '"attempts": ' + nested(30))),
    ("json.depth", "100,000 levels", lambda s: s.text(M, '"attempts": 1', '"attempts": ' + nested(100_000))),
    ("json.utf8", "bytes that are no text", lambda s: s.gz(SCORES, b'{"a":"\xff\xfe"}\n')),
    ("json.syntax", "half a line", lambda s: s.gz(SCORES, b'{"case_id":')),
    ("json.syntax", "a list for an object", lambda s: s.raw(S, b"[]")),
    ("json.line", "a line of 5 MiB", lambda s: s.gz(SCORES, b'{"a":"' + b"x" * (5 * 2**20) + b'"}')),
    ("json.character", "a control character", lambda s: s.json(M, setter("system", "title", to="a\x1b[2J"))),
    ("json.character", "text that runs backwards", lambda s: s.json(M, setter("system", "title", to="a\u202eb"))),
    ("json.character", "half a character", lambda s: s.text(M, '"title": "BM25"', '"title": "\\ud800"')),
    # 4 schema
    ("schema.version", "a newer schema", lambda s: s.json(M, setter("schema", to=99))),
    ("schema.version", "true for 1", lambda s: s.json(S, setter("schema", to=True))),
    ("schema.manifest", "badges of one's own", lambda s: s.json(M, setter("badges", to={"score": "reproduced"}))),
    ("schema.manifest", "markup for a name", lambda s: s.json(M, setter("system", "name", to="![](http://h/x.png)"))),
    ("schema.manifest", "HTML for a name", lambda s: s.json(M, setter("system", "name", to="<script>alert(1)</script>"))),
    ("schema.manifest", "a formula for a name", lambda s: s.json(M, setter("system", "name", to="=HYPERLINK(1)"))),
    ("schema.manifest", "a path for a run id", lambda s: s.json(M, setter("run_id", to="../../etc"))),
    ("schema.manifest", "an oversized title", lambda s: s.json(M, setter("system", "title", to="x" * 5000))),
    ("schema.manifest", "a number as text", lambda s: s.json(M, setter("attempts", to="1"))),
    ("schema.manifest", "a run that is not finished", lambda s: s.json(M, setter("status", to="running"))),
    ("schema.manifest", "letters that look like others", lambda s: s.json(M, setter("system", "title", to="m\u0435m0"))),
    ("schema.manifest", "a character that does not show", lambda s: s.json(M, setter("system", "granularity", to="tu\u00adrn"))),
    ("schema.manifest", "a year before all runs", lambda s: s.json(M, setter("created_utc", to="0000-01-01T00:00:00Z"))),
    ("schema.manifest", "an offset of four days", lambda s: s.json(M, setter("created_utc", to="2026-01-01T00:00:00+99:99"))),
    ("schema.manifest", "a role of one's own", lambda s: s.json(M, lambda m: m["models"].update(oracle="gpt"))),
    ("schema.manifest", "a list for the cost key", lambda s: s.json(M, setter("comparison_key", "cost", to=[1]))),
    ("schema.manifest", "a board of one's own by a further key", both("comparison_key", "flavour", to="x")),
    ("schema.summary", "a list for joules", lambda s: s.json(S, setter("energy", "total", to=[]))),
    ("schema.summary", "an unknown key", lambda s: s.json(S, setter("rank", to=1))),
    ("schema.summary", "a metric with a formula for a name", lambda s: s.json(S, setter("metrics", "=1+1", to={"value": 1, "ci95": None, "n": 1, "clusters": 1}))),
    ("schema.summary", "an unknown reason", lambda s: s.json(S, setter("counts", "failures", to={"bad luck": 1}))),
    ("schema.record", "an error with words", lambda s: s.lines(PLAY, lambda ls: setter("telemetry", "error", to="OSError: /home/me/x")(ls[0]))),
    ("schema.record", "a memory with its text", lambda s: s.lines(TEXTS, lambda ls: setter("text", to="secret")(ls[0]))),
    ("schema.record", "a host in telemetry", lambda s: s.lines(PLAY, lambda ls: setter("telemetry", "node", to="box7")(ls[0]))),
    ("schema.record", "a long generated text", lambda s: s.lines(ANSWERS, lambda ls: setter("content", "answers", to=[{"status": "ok", "parts": [{"generated": "x" * 300}]}])(ls[0]))),
    ("schema.record", "a negative event", lambda s: s.lines(PLAY, lambda ls: setter("event", to=-1)(ls[0]))),
    ("schema.record", "a negative cost", lambda s: s.lines(PLAY, lambda ls: setter("telemetry", "cpu_s", to=-1.0)(ls[0]))),
    ("schema.version", "a newer table of scores", lambda s: s.table(lambda ls: ls[0].update(schema=3))),
    ("schema.record", "a table of scores without its first line", lambda s: s.table(lambda ls: ls.pop(0))),
    ("schema.record", "a row of metrics that nobody named", lambda s: s.table(lambda ls: ls[-1].update(names=7))),
    ("schema.record", "a row with a value too many", lambda s: s.table(lambda ls: ls[-1]["values"].append(1.0))),
    ("schema.record", "a metric named twice", lambda s: s.table(lambda ls: ls[1]["metrics"].append(ls[1]["metrics"][0]))),
    ("rescore.score", "a better score in the table", lambda s: s.table(lambda ls: ls[-1].update(values=[0.987] * len(ls[-1]["values"])))),
    ("rescore.score", "two metrics under each other's name", lambda s: s.table(lambda ls: ls[1]["metrics"].reverse())),
    ("schema.spec", "a forged division", both("division", to="standard-api")),
    ("schema.spec", "a spec with another hash", lambda s: s.json(M, setter("spec", "seed", to=7))),
    ("schema.spec", "another k in the comparison key", lambda s: s.json(M, setter("comparison_key", "reader", to="gpt"))),
    ("schema.spec", "model settings in the key alone", both("comparison_key", "model_set", to={"reader.temperature": 0.5})),
    ("schema.spec", "model settings in the spec alone", hidden_settings),
    ("schema.agree", "a stronger energy label in the key", lambda s: (s.json(M, lambda m: m["comparison_key"]["cost"].update(energy_provenance="measured")), s.json(S, lambda v: v["comparison_key"]["cost"].update(energy_provenance="measured")))),
    ("schema.agree", "a machine of one's own in the key", lambda s: (s.json(M, lambda m: m["comparison_key"]["cost"].update(hardware_class="toaster")), s.json(S, lambda v: v["comparison_key"]["cost"].update(hardware_class="toaster")))),
    ("schema.spec", "another k than the task's", lambda s: (s.json(M, setter("comparison_key", "k", to=3)), s.json(S, setter("comparison_key", "k", to=3)))),
    ("schema.agree", "a summary of another run", lambda s: s.json(S, setter("run_id", to="other"))),
    ("schema.agree", "complete, says the summary alone", lambda s: s.json(S, setter("complete", to=False))),
    ("private.path", "a home folder", lambda s: s.json(M, setter("system", "title", to="/home/alice/x"))),
    ("private.path", "a host", lambda s: s.json(M, setter("system", "title", to="see http://10.0.0.7:80"))),
    # 5 known
    ("known.task", "a task nobody has", lambda s: (both("task", to="nope"), s.json(S, setter("task", to="nope")), s.json(M, lambda m: (m["task"].update(name="nope"), m["spec"].update(task="nope"), m["comparison_key"].update(task="nope"), rehash(m))), s.json(S, setter("comparison_key", "task", to="nope")))),
    ("known.dataset", "data nobody published", lambda s: swap_everywhere(s, "dataset_sha256")),
    ("known.dataset", "the published file of another split", lambda s: swap_everywhere(s, "dataset_sha256", LOCOMO10)),
    ("known.dataset", "errata on the sample, which has none", lambda s: errata_on_a_sample(s)),
    ("known.system", "a plain run under a package's name", lambda s: named(s, "mem0", version="1.0.1", fidelity="package")),
    ("known.system", "a name that reads like another", lambda s: named(s, "Bm-25")),
    ("known.system", "more fidelity than the card has", lambda s: s.json(M, setter("system", "fidelity", to="package"))),
    ("known.system", "a capability that the card lacks", lambda s: s.json(M, setter("system", "capabilities", to=["evidence_grant"]))),
    ("known.system", "parameters that the card lacks", lambda s: s.json(M, setter("system", "parameters", to={"k1": 9.0}))),
    ("schema.spec", "a board of one's own by generations", both("comparison_key", "generations", to=[1, 2])),
    ("schema.spec", "a board of one's own by a local model", both("comparison_key", "local_models", to={"reader": {"engine": "x"}})),
    ("known.questions", "a foreign question set", lambda s: swap_everywhere(s, "question_set_sha256")),
    ("known.prompts", "a judge prompt of one's own", lambda s: judged(s)),
    # 6 questions
    ("questions.missing", "a question left out", dropped_question),
    ("questions.extra", "a question too many", lambda s: s.lines(SCORES, renamed_question)),
    ("questions.duplicate", "a question twice", twice(SCORES)),
    ("questions.cases", "a case that is not there", lambda s: s.lines(PLAY, lambda ls: setter("case", to="0" * 16)(ls[0]))),
    ("questions.cases", "an event that is not there", lambda s: s.lines(ANSWERS, lambda ls: setter("event", to=9999)(ls[0]))),
    # 7 ranges
    ("range.metric", "an accuracy of 1.2", lambda s: s.json(S, setter("metrics", "f1", "value", to=1.2))),
    ("range.metric", "a row of -1", lambda s: s.lines(SCORES, lambda ls: setter("values", "f1", to=-1.0)(ls[0]))),
    ("range.interval", "an interval beside its value", lambda s: s.json(S, setter("metrics", "f1", "ci95", to=[0.9, 0.95]))),
    ("range.count", "counts that do not add up", lambda s: s.json(S, setter("counts", "ok", to=1))),
    ("range.time", "a span that ends before it starts", lambda s: s.lines(PLAY, lambda ls: first_ask(ls)["telemetry"].update(end=1.0))),
    # 8 re-scoring
    ("rescore.metric", "a better score in the summary", headline),
    ("rescore.score", "better scores everywhere", consistent_lie),
    ("rescore.score", "a failure hidden", lambda s: s.lines(SCORES, lambda ls: setter("status", to="failed")(ls[0]))),
    ("rescore.count", "fewer questions", lambda s: s.json(S, lambda v: v["counts"].update(questions=1, ok=1, unscored=0))),
    ("rescore.memory", "a memory that does not exist", lambda s: s.lines(PLAY, lambda ls: first_ask(ls)["content"].update(memories=[99999]))),
    ("rescore.tokens", "fewer context tokens", lambda s: s.lines(PLAY, lambda ls: first_ask(ls)["telemetry"].update(context_tokens=1))),
    ("rescore.answer", "a span outside its turn", lambda s: s.lines(ANSWERS, lambda ls: ls[0]["content"].update(answers=[{"status": "ok", "parts": [{"turn": "D1:1", "start": 0, "end": 99999}]}]))),
    ("rescore.tokens", "a token for each memory, everywhere", cheap_memories),
    ("rescore.memory", "a turn under another turn's name", lambda s: s.lines(TEXTS, lambda ls: ls[0].update(sources=ls[1]["sources"]))),
    ("rescore.memory", "more memories than were asked for", lambda s: s.lines(PLAY, lambda ls: first_ask(ls)["content"].update(k=1))),
    ("rescore.reader", "answers that its reader never gave", lambda s: s.lines(ANSWERS, lambda ls: [{**line, "content": {"status": "ok", "answers": [{"status": "ok", "parts": [{"generated": "7 May 2023"}]}]}} for line in ls])),
    ("rescore.reader", "words of its own that its reader cannot write", lambda s: s.lines(ANSWERS, lambda ls: ls[0]["content"].update(answers=[{"status": "ok", "parts": [{"generated": "a red bicycle"}]}]))),
    ("rescore.reader", "answers kept back that are spans of turns", lambda s: s.lines(ANSWERS, lambda ls: [{**line, "content": {"status": "ok", "answers": [{"status": "ok", "sha256": "0" * 64}]}} for line in ls])),
    ("private.text", "an answer in clear", lambda s: s.lines(ANSWERS, lambda ls: ls[0]["content"].update(answers=[{"status": "ok", "text": "yes", "sha256": "0" * 64}]))),
    ("rescore.cost", "half the time", lambda s: s.json(S, lambda v: v["time_s"]["recall"].update(total=0.0))),
    ("rescore.cost", "a smaller store", lambda s: s.json(S, setter("ingested", "tokens", to=1))),
    ("rescore.energy", "joules out of nothing", lambda s: s.json(S, lambda v: v["energy"]["total"].update(joules=1.0))),
    ("rescore.energy", "verified, says the manifest", lambda s: s.json(M, setter("energy", "verified", to=True))),
    ("rescore.energy", "samples nobody writes", lambda s: s.gz("energy.jsonl.gz", b'{"line":"session"}\n{"c":7,"t":"x"}\n')),
    ("private.path", "a path among the samples", lambda s: s.gz("energy.jsonl.gz", b'{"line":"session","selection":["/home/me/rapl"]}\n')),
    ("known.prompts", "verdicts of a judge the spec lacks", lambda s: s.gz("verdicts.gpt-12345678.jsonl.gz", b"")),
    ("schema.record", "a verdict with the judge's words", lambda s: s.gz("verdicts.gpt-12345678.jsonl.gz", b'{"case":"27d96421a97921d1","request":"q","status":"ok","reason":null,"values":{"reasoning":"because the text says so and so, in many words"},"telemetry":{}}\n')),
    ("rescore.content", "another content hash", lambda s: s.json(S, setter("content_sha256", to="0" * 64))),
    # 9 plausibility
    ("plausible.clock", "spans of another year", lambda s: s.lines(PLAY, lambda ls: first_ask(ls)["telemetry"].update(start=1e9, end=1e9 + 1))),
    ("plausible.overlap", "a case played twice at once", lambda s: s.lines(PLAY, lambda ls: ls[-1]["telemetry"].update(start=ls[0]["telemetry"]["start"] - 5, end=ls[-1]["telemetry"]["end"]))),
]  # fmt: skip


def rehash(manifest: dict[str, Any]) -> None:
    from membench.records.spec import RunSpec

    manifest["spec_sha256"] = RunSpec.from_json(manifest["spec"]).sha256


LOCOMO10 = next(file.sha256 for file in get_task("locomo").card.files)


def swap_everywhere(spoil: Spoil, key: str, to: str = "a" * 64) -> None:
    """Another hash wherever the bundle names it."""
    spoil.json(M, lambda m: (m["task"].update({key: to}), m["comparison_key"].update({key: to})))
    spoil.json(S, setter("comparison_key", key, to=to))


def errata_on_a_sample(spoil: Spoil) -> None:
    """The errata of the whole file, claimed for the sample."""

    def change(manifest: dict[str, Any]) -> None:
        manifest["spec"]["errata"] = True
        manifest["comparison_key"]["errata"] = "e" * 64
        rehash(manifest)

    spoil.json(M, change)
    spoil.json(S, setter("comparison_key", "errata", to="e" * 64))


def named(spoil: Spoil, name: str, **more: str) -> None:
    """The run under another system's name, wherever that stands."""

    def change(manifest: dict[str, Any]) -> None:
        manifest["system"].update(name=name, **more)
        manifest["spec"]["system"] = name
        rehash(manifest)

    spoil.json(M, change)
    spoil.json(S, setter("system", to=name))


def judged(spoil: Spoil) -> None:
    """A run in a pinned division that names prompts nobody released."""
    from membench.harness.manifest import judge_prompts_sha256

    prompts = {"judge.answer": "b" * 64}

    def change(manifest: dict[str, Any]) -> None:
        manifest["prompts"] = prompts
        manifest["comparison_key"]["judge_prompt_sha256"] = judge_prompts_sha256(prompts)

    spoil.json(M, change)
    spoil.json(S, setter("comparison_key", "judge_prompt_sha256", to=judge_prompts_sha256(prompts)))


@pytest.mark.parametrize(
    ("rule", "what", "attack"), FOLDERS, ids=[f"{r}: {w}" for r, w, _ in FOLDERS]
)
def test_refused_by_the_rule_it_breaks(rule: str, what: str, attack: Attack, spoil: Spoil) -> None:
    attack(spoil)
    result = verify(spoil.path)
    assert not result.accepted
    assert result.findings[0].rule == rule, [str(finding) for finding in result.findings]
    assert result.findings[0].location
    assert result.findings[0].remedy


def zipped(members: list[tuple[Any, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, data in members:
            archive.writestr(info, data)
    return buffer.getvalue()


def members(path: Path) -> list[tuple[Any, bytes]]:
    return [(file.name, file.read_bytes()) for file in sorted(path.iterdir())]


def symlink_member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_an_honest_zip_is_as_good_as_a_folder(honest: Path, tmp_path: Path) -> None:
    file = tmp_path / "story.zip"
    file.write_bytes(zipped(members(honest)))
    assert verify(file).accepted


@pytest.mark.parametrize(
    ("rule", "extra"),
    [
        ("wire.name", ("../../evil.json", b"{}")),
        ("wire.name", ("/etc/passwd", b"x")),
        ("wire.name", ("sub/manifest.json", b"{}")),
        ("wire.link", (symlink_member("verdicts.x.jsonl.gz"), b"/etc/passwd")),
        ("wire.size", ("verdicts.x.jsonl.gz", b"\0" * (65 * 2**20))),
    ],
    ids=["traversal", "absolute", "folder", "link", "bomb"],
)
def test_zip_members_are_read_by_name_and_counted(
    rule: str, extra: tuple[Any, bytes], honest: Path, tmp_path: Path
) -> None:
    file = tmp_path / "story.zip"
    file.write_bytes(zipped([*members(honest), extra]))
    result = verify(file)
    assert result.findings[0].rule == rule
    assert sorted(p.name for p in tmp_path.iterdir()) == ["story.zip"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(honest: Path, tmp_path: Path) -> None:
    file = tmp_path / "story.zip"
    file.write_bytes(zipped([*members(honest), (M, b"{}")]))
    assert verify(file).findings[0].rule == "wire.duplicate"


def test_too_many_entries_are_refused(spoil: Spoil) -> None:
    for number in range(20):
        (spoil.path / f"verdicts.k{number}.jsonl.gz").write_bytes(gzip.compress(b""))
    spoil.seal()
    assert verify(spoil.path).findings[0].rule == "wire.entries"


@pytest.mark.parametrize(
    "data", [b"\x80\x04pickle", b"", os.urandom(100)], ids=["pickle", "empty", "noise"]
)
def test_what_is_no_zip_is_refused(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "story.tar"
    file.write_bytes(data)
    assert verify(file).findings[0].rule == "wire.kind"


def test_sizes_are_counted_on_the_wire(honest: Path) -> None:
    assert verify(honest, limits=Limits(wire_bytes=1000)).findings[0].rule == "wire.size"


def test_findings_never_repeat_a_strangers_long_words(spoil: Spoil) -> None:
    spoil.json(M, setter("system", "title", to="x" * 100_000))
    assert all(len(str(finding)) < 1000 for finding in verify(spoil.path).findings)
    assert len(json.dumps([str(f) for f in verify(spoil.path).findings])) < 5000
