"""Making a bundle of a run directory. Equal runs give equal bytes."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from membench.domain.errors import RunStateError, UserError
from membench.domain.labels import JsonObject, JsonView
from membench.harness.places import open_run
from membench.leaderboard.bundles import layout, redact
from membench.leaderboard.bundles.score_table import packed_rows
from membench.leaderboard.bundles.withholding import private
from membench.records.attempts import JournalIndex
from membench.records.journal import read_lines
from membench.records.manifest import SystemEntry
from membench.records.run_directory import RunDir
from membench.records.scores import stream_scores
from membench.records.shape import (
    Shape,
    is_answer,
    is_gate_answer,
    is_play,
    is_text,
    is_verdict,
)
from membench.tasks.registry import get_task


class BundleError(UserError):
    """A run that cannot be submitted as it is."""


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk.

    Attributes:
        path: Its folder.
        sha256: What identifies it.
        run_id: The run.
        task: The task.
    """

    path: Path
    sha256: str
    run_id: str
    task: str


def make_bundle(run_path: Path, to: Path) -> Bundle:
    """Write the redacted part of a run into the new folder `to`.

    Raises:
        RunStateError: The run is not finished, or `to` exists.
        BundleError: Something in it names the machine it was made on, or nothing says what ran.
    """
    run = open_run(run_path)
    if to.exists():
        raise RunStateError(f"{to} already exists", "Bundles are never replaced; name another.")
    to.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{to.name}.", dir=to.parent))
    try:
        write_bundle(run, work)
        work.chmod(0o755)
        work.replace(to)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    manifest = orjson.loads((to / layout.MANIFEST).read_bytes())
    digest = file_sha256(to / layout.CHECKSUMS)
    return Bundle(to, digest, manifest["run_id"], manifest["task"]["name"])


def write_bundle(run: RunDir, folder: Path) -> None:
    """Write every file of a run's bundle into a folder, line by line, SHA256SUMS last.

    Raises:
        BundleError: See `make_bundle`.
    """
    manifest, summary = run.manifest(), run.summary()
    check_named(manifest.system)
    for name, value in (
        (layout.MANIFEST, redact.manifest(manifest)),
        (layout.SUMMARY, redact.summary(summary)),
    ):
        data = json_file(value)
        check_machine(name, data, machine_names())
        check_strings(name, value)
        (folder / name).write_bytes(data)
    for name, lines in line_files(run, text_allowed=text_allowed(summary.task)):
        write_packed(folder / name, lines)
    hashes = {path.name: file_sha256(path) for path in folder.iterdir()}
    (folder / layout.CHECKSUMS).write_bytes(layout.sums_text(hashes))


def text_allowed(task: str) -> bool:
    """Whether free answers may be published."""
    return get_task(task).card.may_redistribute_text


def line_files(run: RunDir, *, text_allowed: bool) -> Iterator[tuple[str, Iterator[JsonView]]]:
    """The files of JSON lines of a run's bundle, none of them read yet."""
    yield layout.TEXTS, map(redact.texts, records(run.texts, is_text, "n"))
    yield layout.PLAY, play_lines(run.play, text_allowed=text_allowed)
    yield (
        layout.ANSWERS,
        (
            redact.answers(line, text_allowed=text_allowed)
            for line in records(run.answers, is_answer, "event")
        ),
    )
    yield layout.SCORES, packed_rows(stream_scores(run.scores))
    yield from judge_files(run)
    if run.energy.exists():
        yield layout.ENERGY, map(redact.energy, read_lines(run.energy))
    if run.gate.exists():
        yield layout.GATE, map(redact.gate, filter(is_gate_answer, read_lines(run.gate)))


def judge_files(run: RunDir) -> Iterator[tuple[str, Iterator[JsonView]]]:
    """What the run's own judges said; verdicts of others, taken over from its parent, stay here."""
    keys = sorted(judge["key"] for judge in (run.summary().judge or {}).get("judges", ()))
    for kind, folder in (("verdicts", run.verdicts), ("calibration", run.verdicts / "calibration")):
        for key in keys:
            path = folder / f"{key}.jsonl"
            if path.exists():
                yield f"{kind}.{key}.jsonl.gz", verdict_lines(path)


def check_named(system: SystemEntry) -> None:
    """Refuse a run that only says which adapter drove it: two vendors would be one row.

    Raises:
        BundleError: Says how to name what ran.
    """
    if system.adapter == system.name:
        raise BundleError(
            f"'{system.name}' drives a system of yours, and the run does not say which",
            "Run it again with --set name=my-memory --set version=1.2.0.",
        )


def play_lines(path: Path, *, text_allowed: bool) -> Iterator[JsonObject]:
    """Records of the play stage, then calls that came after a case was closed."""
    played = JournalIndex(path, is_play)
    yield from (redact.play(line, text_allowed=text_allowed) for line in indexed(played, "event"))
    late = [line for line in played.notes if line.get("late") or line.get("carried_over")]
    yield from map(redact.note, sorted(late, key=lambda line: str(line.get("of", ""))))


def verdict_lines(path: Path) -> Iterator[JsonObject]:
    """What a judge said, line by line."""
    return map(redact.verdict, filter(is_verdict, read_lines(path)))


def records(path: Path, shape: Shape, number: str) -> Iterator[JsonObject]:
    """The lines of a journal that belong to a case, by case, attempt and number (n or event)."""
    yield from indexed(JournalIndex(path, shape), number)


def indexed(index: JournalIndex, number: str) -> Iterator[JsonObject]:
    """The lines of an indexed journal, of one case at a time."""
    for case in index.cases():
        for lines in index.lines(case).values():
            yield from sorted(map(orjson.loads, lines), key=itemgetter(number))


def json_file(value: JsonView) -> bytes:
    """Indented JSON with sorted keys."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS
    return orjson.dumps(value, option=options)


def write_packed(path: Path, lines: Iterable[JsonView]) -> None:
    """JSON lines, compressed without a time or a name, so that equal lines give equal bytes.

    Raises:
        BundleError: A line names this machine or its user.
    """
    options, names = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS, machine_names()
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        for line in lines:
            data = orjson.dumps(line, option=options)
            check_machine(path.name, data, names)
            file.write(data)


def checksums(files: Mapping[str, bytes]) -> bytes:
    """SHA256SUMS."""
    return layout.sums_text({n: hashlib.sha256(data).hexdigest() for n, data in files.items()})


def file_sha256(path: Path) -> str:
    """Hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_machine(name: str, content: bytes, names: Iterable[str]) -> None:
    """Refuse to publish what names this machine or its user.

    Args:
        name: The file.
        content: All of it, or a line.
        names: As `machine_names` gives them.

    Raises:
        BundleError: Names the file and what was found.
    """
    for secret in names:
        if secret.encode() in content:
            raise BundleError(
                f"{name} holds '{secret}', which names this machine or its user",
                "Run again with parameters that do not hold it, and submit that run.",
            )


def check_strings(name: str, value: object) -> None:
    """Refuse to publish a manifest or summary with a string that looks like a path or a host.

    Raises:
        BundleError: Names the file and the string.
    """
    for text in strings(value):
        if private(text):
            raise BundleError(
                f"{name} holds {text[:80]!r}, which looks like a path or a host",
                "Run again with a parameter that is a plain name, and submit that run.",
            )


def machine_names() -> list[str]:
    """Strings that would give this machine or its user away."""
    host, home = socket.gethostname(), str(Path.home())
    here = str(Path.cwd())
    candidates = [host, home, here, os.environ.get("USER", "")]
    common = {"localhost", "user", "root", "data", "test", "runner", "/root"}
    return [text for text in candidates if len(text) >= 5 and text not in common]


def strings(value: object) -> Iterator[str]:
    """Every string in a JSON value, keys included."""
    walk: Callable[[Any], Iterator[str]] = strings
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)
