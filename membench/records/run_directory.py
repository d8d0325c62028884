"""A run on disk: where its files are, who may write them, and its manifest.

A run directory belongs to one process at a time (`flock`, released by the kernel if the process
dies). Manifest and summary are replaced atomically; everything else is appended to.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from membench.domain.errors import RunStateError, UsageError
from membench.domain.labels import JsonObject, JsonView
from membench.domain.whole_file import written_whole
from membench.records.manifest import SCHEMA, Manifest
from membench.records.summary import Summary

MALFORMED = (KeyError, TypeError, AttributeError, ValueError, IndexError)
"""What reading an object of another shape ends in."""

CHECKSUMS = "SHA256SUMS"
"""The file that a bundle has and a run directory has not: the hashes of its other files."""

SERVED = "base_url"
"""Entry of `places.json`: the roles whose model was called at an address that was given."""

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def new_run_id(system: str, task: str) -> str:
    """A fresh id: UTC time, task, system, eight random hex digits."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{task}-{Path(system).name}")
    return f"{stamp}-{name}-{secrets.token_hex(4)}"


class RunDir:
    """Paths and small files of one run directory."""

    def __init__(self, path: Path) -> None:
        """Point at a directory, which need not exist yet."""
        self.path = path
        self.run_id = path.name
        self.play = path / "play.jsonl"
        self.texts = path / "texts.jsonl"
        self.answers = path / "answers.jsonl"
        self.verdicts = path / "verdicts"
        self.scores = path / "scores.jsonl"
        self.energy = path / "energy.jsonl"
        self.cassette = path / "cassette.sqlite"
        self.spent = path / "spent.jsonl"
        self.logs = path / "logs"
        self.gate = path / "reader_gate.jsonl"
        self._manifest = path / "manifest.json"
        self._summary = path / "summary.json"
        self._places = path / "places.json"

    @classmethod
    def create(cls, out: Path, run_id: str) -> RunDir:
        """Make a new run directory.

        Raises:
            UsageError: The id is not a plain name, or the folder cannot be written.
            RunStateError: The id is taken.
        """
        if not RUN_ID.fullmatch(run_id):
            raise UsageError(f"--run-id '{run_id}' is not a plain name", "Use A-Z a-z 0-9 . _ -")
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out / run_id).mkdir()
        except FileExistsError:
            if not out.is_dir():
                raise UsageError(f"--out {out} is a file", "Name a folder.") from None
            raise RunStateError(
                f"run '{run_id}' already exists in {out}",
                f"Choose another --run-id, or continue it with --resume {out / run_id}.",
            ) from None
        except OSError as error:
            raise UsageError(
                f"cannot write to --out {out}: {error.strerror}", "Choose another folder."
            ) from None
        return cls(out / run_id)

    @classmethod
    def open(cls, path: Path) -> RunDir:
        """Open an existing run.

        Raises:
            RunStateError: It is not a run, or of a newer schema.
        """
        run = cls(path)
        if not run._manifest.is_file():
            raise RunStateError(
                f"{path} is not a run directory (no manifest.json)",
                "`membench runs list` shows the runs there are.",
            )
        schema = run._load(run._manifest).get("schema")
        if not isinstance(schema, int) or schema > SCHEMA:
            raise RunStateError(
                f"{path} was written by a newer membench (schema {schema}, this reads {SCHEMA})",
                "Upgrade membench.",
            )
        return run

    @property
    def is_bundle(self) -> bool:
        """Whether this is what was published of a run, not the run itself."""
        return (self.path / CHECKSUMS).is_file()

    def refuse_bundle(self) -> None:
        """Refuse a bundle where the whole run is needed, or something is to be written.

        Raises:
            RunStateError: It is one; names what can be done with it.
        """
        if self.is_bundle:
            raise RunStateError(
                f"{self.path} is a bundle: what was published of a run, and never changed",
                "Name the run directory it was made of. Bundles are read by show (without a "
                "question), compare, energy show, report and verify.",
            )

    @property
    def continued_by(self) -> str:
        """The command that goes on with the run; an address that it needs is the user's to give."""
        command = f"membench run --resume {shlex.quote(str(self.path))}"
        return f"{command} --base-url URL" if self.places().get(SERVED) else command

    def manifest(self) -> Manifest:
        """The manifest.

        Raises:
            RunStateError: It is not JSON, or lacks something.
        """
        try:
            return Manifest.from_json(self._load(self._manifest))
        except MALFORMED as error:
            raise self._damaged(self._manifest, error) from None

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest atomically."""
        replace_json(self._manifest, manifest.to_json())

    def places(self) -> dict[str, str]:
        """What the spec leaves out: folders of `system` and `task`, and `SERVED`.

        Folders are those of what was given by a path. Never part of a bundle.
        """
        return self._load(self._places) if self._places.is_file() else {}

    def write_places(self, places: Mapping[str, str]) -> None:
        """Remember them, if there are any."""
        if places:
            replace_json(self._places, places)

    def summary(self) -> Summary:
        """The summary.

        Raises:
            RunStateError: The run has none yet, or it is not JSON, or lacks something.
        """
        if not self._summary.is_file():
            raise RunStateError(
                f"run {self.run_id} is not finished (no summary.json)",
                f"Continue it: {self.continued_by}",
            )
        try:
            return Summary.from_json(self._load(self._summary))
        except MALFORMED as error:
            raise self._damaged(self._summary, error) from None

    def forget_summary(self) -> None:
        """Remove the summary of what is about to be gone on with: it says nothing any more."""
        self._summary.unlink(missing_ok=True)

    def write_summary(self, summary: Summary) -> None:
        """Replace the summary atomically."""
        replace_json(self._summary, summary.to_json())

    def finished(self) -> bool:
        """Whether there is a summary."""
        return self._summary.is_file()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for writing.

        Raises:
            RunStateError: It is a bundle, another process holds it, or it cannot be written.
        """
        self.refuse_bundle()
        try:
            fd = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunStateError(
                f"run {self.run_id} cannot be written: {error.strerror}",
                f"Make {self.path} writable, or copy it to a folder that is.",
            ) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise RunStateError(
                f"run {self.run_id} is being written by another process", "Wait for it, or end it."
            ) from None
        try:
            yield
        finally:
            os.close(fd)

    def _damaged(self, path: Path, error: Exception) -> RunStateError:
        problem = f"lacks {error}" if isinstance(error, KeyError) else f"is malformed: {error}"
        return RunStateError(f"{path} {problem}", "The run is damaged.")

    def _load(self, path: Path) -> JsonObject:
        try:
            loaded = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            raise RunStateError(f"{path} cannot be read: {error}", "The run is damaged.") from None
        if not isinstance(loaded, dict):
            raise RunStateError(f"{path} is not a JSON object", "The run is damaged.")
        return loaded


def replace_json(path: Path, value: JsonView) -> None:
    """Write JSON beside `path` and move it there, so that readers see old or new, never half."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS
    with written_whole(path) as file:
        file.write(orjson.dumps(value, option=options))
