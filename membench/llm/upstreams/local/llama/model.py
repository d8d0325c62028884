"""A GGUF file as a local model: what its head says, and the servers that run it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from membench.domain.errors import DataError, UsageError
from membench.domain.labels import Role, Scalar
from membench.llm.upstreams.local.entry import (
    EXAMPLES,
    KEEPS_STATES,
    LocalModel,
    ModelSpeed,
    PromptCache,
    Report,
)
from membench.llm.upstreams.local.llama.engine import PACKAGE, find_engine
from membench.llm.upstreams.local.llama.gguf import GgufHead, read_head

if TYPE_CHECKING:
    from membench.llm.config import ModelSpec
    from membench.llm.upstreams.local.llama.server import ServerSettings
    from membench.llm.upstreams.local.llama.upstream import LlamaUpstream

ROLES = frozenset({Role.READER, Role.JUDGE, Role.MEMORY})

MOST_SERVERS = 4
"""Servers that are started unless told otherwise; each keeps a context in memory."""


@dataclass(frozen=True)
class GgufModel(LocalModel):
    """A language model in a GGUF file.

    Attributes:
        path: The file; it need not be there yet.
        threads: Threads of a server, unless told otherwise; None for every core.
        max_context: Context of a server, unless told otherwise; the file's own where it is less.
    """

    extra: str = "local"
    path: Path = Path()
    threads: int | None = None
    max_context: int = 8192

    @property
    def public_name(self) -> str:
        """The name, or the prefix and the file's own name."""
        prefix, colon, _ = self.name.partition(":")
        return f"{prefix}:{self.path.name}" if colon else self.name

    @property
    def engine(self) -> str:
        """The package or program that runs the file; empty where neither is there.

        Raises:
            UsageError: The environment names something that cannot be used.
        """
        found = find_engine()
        return found.title if found else ""

    def file(self) -> Path | None:
        """The file, if it is there."""
        return self.path if self.path.is_file() else None

    def install(self, report: Report) -> None:
        """See that the engine is installed.

        Raises:
            UsageError: It is not, or the one that the environment names cannot be used.
        """
        if find_engine() is None:
            raise UsageError(
                f"'{self.name}' runs on {PACKAGE}, which is not installed",
                f"Install the extra: pip install 'membench[{self.extra}]'",
            )

    def check(self, spec: ModelSpec) -> None:
        """Refuse a file that is none, and settings beyond the model or the machine.

        Raises:
            UserError: Names the file or setting.
        """
        head = head_of(self.path)
        if head.only_embeds:
            raise DataError(
                self.path,
                "general.architecture",
                f"'{head.architecture}' gives vectors and cannot write answers",
                "Name a language model.",
            )
        wanted, trained = self.window(spec), head.context_length
        if wanted and trained and wanted > trained:
            raise UsageError(
                f"context_length {wanted:,}: '{self.name}' was trained with {trained:,} tokens",
                f"Set --model-set context_length={trained} or less.",
            )
        if spec.cache_prompt == EXAMPLES:
            check_states(spec)
        self._check_memory(spec, head)

    def _check_memory(self, spec: ModelSpec, head: GgufHead) -> None:
        """Refuse what surely does not fit: weights are shared by servers, contexts are not."""
        servers, slots = self.servers(spec), spec.slots or 1
        contexts = head.cache_bytes((self.window(spec) or 0) * slots) * servers
        needed, free = head.size + contexts, available_bytes()
        if free is not None and needed > free:
            raise UsageError(
                f"'{self.name}' needs {needed / 2**30:.1f} GiB (weights {head.size / 2**30:.1f}, "
                f"contexts of {servers} servers {contexts / 2**30:.1f}), "
                f"{free / 2**30:.1f} GiB are free",
                "Lower --model-set context_length=N, servers=N or slots=N.",
            )

    def window(self, spec: ModelSpec) -> int | None:
        """Tokens of a slot's context."""
        if spec.context_length is not None:
            return spec.context_length
        trained = head_of(self.path).context_length if self.file() else None
        return min(self.max_context, trained or self.max_context)

    def servers(self, spec: ModelSpec) -> int:
        """How many servers run the file."""
        if spec.servers is not None:
            return spec.servers
        return max(1, min(MOST_SERVERS, cores() // self.thread_count(spec)))

    def thread_count(self, spec: ModelSpec) -> int:
        """Threads of each server."""
        return spec.threads or self.threads or cores()

    @staticmethod
    def cache_prompt(spec: ModelSpec) -> PromptCache:
        """What of a prompt is reused; by default nothing."""
        return spec.cache_prompt or False

    def settings(self, spec: ModelSpec) -> ServerSettings:
        """What each server is started with."""
        from membench.llm.upstreams.local.llama.server import ServerSettings

        return ServerSettings(
            file=str(self.path),
            name=spec.served_name,
            context_length=self.window(spec) or self.max_context,
            slots=spec.slots or 1,
            threads=self.thread_count(spec),
            cache_prompt=self.cache_prompt(spec),
            chat_template=template_text(spec.chat_template),
            program=engine.program if (engine := find_engine()) else "",
        )

    def probe(self, spec: ModelSpec) -> ModelSpeed | None:
        """Ask one server for two seconds; None where file or engine is missing."""
        if self.file() is None or find_engine() is None:
            return None
        from membench.llm.upstreams.local.llama.probe import probe

        return probe(self.settings(spec), self.servers(spec))

    def identity(self, spec: ModelSpec) -> Mapping[str, Scalar | None]:
        """File, engine and settings: everything that may move a word of an answer."""
        template = template_text(spec.chat_template)
        return {
            "gguf_sha256": self.sha256(),
            "quantisation": head_of(self.path).quantisation if self.file() else None,
            "engine": self.engine or None,
            "context_length": self.window(spec),
            "slots": spec.slots or 1,
            "cache_prompt": self.cache_prompt(spec),
            "threads": self.thread_count(spec),
            "chat_template_sha256": _sha256(template.encode()) if template else None,
        }

    def sha256(self) -> str | None:
        """Hash of the file, None while it is not there."""
        return file_hash(self.path) if self.file() else None

    def upstream(self, spec: ModelSpec, log: Path | None = None) -> LlamaUpstream:
        """Servers of its own for every role."""
        from membench.llm.upstreams.local.llama.upstream import LlamaUpstream

        return LlamaUpstream(self.settings(spec), self.servers(spec), log)


def check_states(spec: ModelSpec) -> None:
    """Refuse to keep the state after a prompt's examples where that cannot work.

    Raises:
        UsageError: Says why, and what to set instead.
    """
    if (spec.slots or 1) > 1:
        raise UsageError(
            f"cache_prompt={EXAMPLES}: a server keeps one state, for {spec.slots} slots",
            "Set slots=1 and servers=N instead, or cache_prompt=false.",
        )
    if not KEEPS_STATES:
        raise UsageError(
            f"cache_prompt={EXAMPLES}: this system has no files in memory to keep a state in",
            "Set cache_prompt=false.",
        )


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def available_bytes() -> int | None:
    """Memory that can be had without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    return None


def template_text(template: str | None) -> str:
    """A chat template: the text itself, or that of a file.

    Raises:
        DataError: It names a file that cannot be read, or that shows a model nothing.
    """
    if not template or "{" in template:
        return template or ""
    try:
        text = Path(template).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(
            template, "", f"cannot be read as a chat template: {error.strerror}"
        ) from None
    except UnicodeDecodeError:
        raise DataError(template, "", "is no text, and so no chat template") from None
    if "{{" not in text:
        raise DataError(
            template, "", "holds no '{{', so no message would reach the model", "Name another file."
        )
    return text


def head_of(path: Path) -> GgufHead:
    """The head of a file, read once as long as it does not change.

    Raises:
        DataError: See `read_head`.
    """
    return _head_of(path, _stamp(path))


def file_hash(path: Path) -> str:
    """SHA-256 of a file, computed once as long as it does not change."""
    return _file_hash(path, _stamp(path))


def _stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of a file, None without one."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


@cache
def _head_of(path: Path, stamp: tuple[int, int] | None) -> GgufHead:
    return read_head(path)


@cache
def _file_hash(path: Path, stamp: tuple[int, int] | None) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
