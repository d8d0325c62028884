"""Divisions: what is pinned so that ranks mean something.

`offline` needs no LLM: a local reader and deterministic metrics. Pinned divisions are written in
`divisions.toml`; whatever fits none is `open`.
"""

from __future__ import annotations

from membench.harness.spec import RunSpec

LOCAL_MODELS = ("none", "minilm")
"""Models that are not LLMs and run here."""


def pinned(spec: RunSpec) -> RunSpec:
    """Apply the pins of the spec's division."""
    return spec


def division_of(spec: RunSpec) -> str:
    """The division a run belongs to."""
    if spec.division is not None:
        return spec.division
    offline = (
        spec.reader in ("extractive", "refuse")
        and spec.judge == "none"
        and spec.memory_model == "none"
        and spec.embedder in LOCAL_MODELS
        and spec.prompts is None
    )
    return "offline" if offline else "open"
