"""Making a bundle of a run directory. Equal runs give equal bytes."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from membench.domain.errors import RunStateError, UserError
from membench.domain.labels import JsonObject, JsonView
from membench.harness.places import open_run
from membench.leaderboard.bundles import layout, redact
from membench.leaderboard.bundles.schema import private
from membench.records.journal import read_lines
from membench.records.manifest import SystemEntry
from membench.records.run_directory import RunDir
from membench.records.scores import read_scores
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
        files = bundle_files(run)
        for name, data in files.items():
            (work / name).write_bytes(data)
        work.chmod(0o755)
        work.replace(to)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    manifest = orjson.loads(files[layout.MANIFEST])
    digest = hashlib.sha256(files[layout.CHECKSUMS]).hexdigest()
    return Bundle(to, digest, manifest["run_id"], manifest["task"]["name"])


def bundle_files(run: RunDir) -> dict[str, bytes]:
    """Every file of a run's bundle, SHA256SUMS last."""
    manifest, summary = run.manifest(), run.summary()
    check_named(manifest.system)
    free = get_task(summary.task).card.may_redistribute_text
    files = {
        layout.MANIFEST: json_file(redact.manifest(manifest)),
        layout.SUMMARY: json_file(redact.summary(summary)),
        layout.TEXTS: packed(map(redact.texts, records(run.texts))),
        layout.PLAY: packed(play_lines(run.play, text_allowed=free)),
        layout.ANSWERS: packed(
            redact.answers(line, text_allowed=free) for line in records(run.answers)
        ),
        layout.SCORES: packed(asdict(row) for row in read_scores(run.scores)),
    }
    for path in sorted(run.verdicts.glob("*.jsonl")):
        files[f"verdicts.{path.stem}.jsonl.gz"] = packed(map(redact.verdict, read_lines(path)))
    for path in sorted((run.verdicts / "calibration").glob("*.jsonl")):
        files[f"calibration.{path.stem}.jsonl.gz"] = packed(map(redact.verdict, read_lines(path)))
    if run.energy.exists():
        files[layout.ENERGY] = packed(map(redact.energy, read_lines(run.energy)))
    if run.gate.exists():
        files[layout.GATE] = packed(map(redact.gate, read_lines(run.gate)))
    check_private(files)
    files[layout.CHECKSUMS] = checksums(files)
    return files


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
    yield from (redact.play(line, text_allowed=text_allowed) for line in records(path))
    late = [line for line in read_lines(path) if line.get("late")]
    yield from map(redact.note, sorted(late, key=lambda line: str(line["of"])))


def records(path: Path) -> Iterator[JsonObject]:
    """The lines of a journal that belong to a case, by case, attempt and number (n or event)."""
    lines = [line for line in read_lines(path) if "case" in line]
    number = "n" if lines and "n" in lines[0] else "event"
    yield from sorted(lines, key=lambda line: (line["case"], line["attempt"], line[number]))


def json_file(value: JsonView) -> bytes:
    """Indented JSON with sorted keys."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS
    return orjson.dumps(value, option=options)


def packed(lines: Iterable[JsonView]) -> bytes:
    """JSON lines, compressed without a time or a name, so that equal lines give equal bytes."""
    options = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS
    return gzip.compress(b"".join(orjson.dumps(line, option=options) for line in lines), 9, mtime=0)


def checksums(files: Mapping[str, bytes]) -> bytes:
    """SHA256SUMS."""
    return layout.sums_text({n: hashlib.sha256(data).hexdigest() for n, data in files.items()})


def check_private(files: Mapping[str, bytes]) -> None:
    """Refuse to publish what names this machine or its user.

    Raises:
        BundleError: Names the file and what was found.
    """
    for name, data in files.items():
        content = gzip.decompress(data) if name.endswith(".gz") else data
        for secret in machine_names():
            if secret.encode() in content:
                raise BundleError(
                    f"{name} holds '{secret}', which names this machine or its user",
                    "Run again with parameters that do not hold it, and submit that run.",
                )
    for name in (layout.MANIFEST, layout.SUMMARY):
        for text in strings(orjson.loads(files[name])):
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
