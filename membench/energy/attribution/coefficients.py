"""Published joules per token, with ranges, for models that cannot be observed.

Completion tokens: ML.ENERGY v3 measured joules per output token for each model over batch sizes.
How a remote API batches is unknown, so the range is the whole span of the measurements and the
central value their geometric middle. Prompt tokens: no licensed measurement at memory-system
lengths exists; they are computed from the arithmetic of a forward pass, `2 * active parameters * n
+ 2 * layers * d_model * n^2` operations for n tokens, at a throughput and power with a range.

A name that is not in the table is unknown. There is no nearest match: a wrong model's coefficient
is worse than none.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson

DATA = Path(__file__).parents[1] / "data"
TABLE = DATA / "mlenergy_v3_llm_subset.csv"
SHAPES = DATA / "model_shapes.json"
VERSION = "mlenergy-v3+prefill-1"
GPUS = ("H100", "B200")

JOULES_PER_FLOP = {"H100": 650 / 400e12, "B200": 900 / 900e12}
"""Watts over operations per second in prefill. H100: 650 W at 400 TFLOP/s; B200 is computed from
its higher bf16 throughput in the same proportion."""
PREFILL_RANGE = (0.6, 2.5)
"""Factors on the central prefill coefficient: well-batched 8-bit serving to idle hardware."""
CACHED_SHARE = (0.0, 0.1, 1.0)
"""A cached prompt token against an uncached one: lowest, central, highest."""


@dataclass(frozen=True, slots=True)
class Range:
    """A coefficient with the range it may lie in."""

    low: float
    mid: float
    high: float

    def scaled(self, low: float, mid: float, high: float) -> Range:
        """Each end times its own factor."""
        return Range(self.low * low, self.mid * mid, self.high * high)


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Joules of one call: `uncached * prompt + prompt_sq * n^2 + cached * cached + completion`.

    Attributes:
        prompt: Joules per uncached prompt token.
        prompt_sq: Joules per squared prompt token (attention).
        cached: Joules per cached prompt token.
        completion: Joules per completion token.
    """

    prompt: Range
    prompt_sq: Range
    cached: Range
    completion: Range


def model_key(name: str) -> str:
    """A litellm name without its provider: `hosted_vllm/Qwen/Qwen3-8B` is `Qwen/Qwen3-8B`.

    The name itself is compared exactly, letter case aside.
    """
    parts = name.split("/")
    return "/".join(parts[-2:]).lower()


@cache
def table(gpu: str) -> Mapping[str, Coefficients]:
    """Coefficients by `model_key` for one GPU."""
    shapes = orjson.loads(SHAPES.read_bytes())["models"]
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    with TABLE.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["gpu_model"] == gpu and row["model_id"] in shapes:
                rows[row["model_id"]].append(row)
    return {
        model.lower(): _coefficients(gpu, found, shapes[model]) for model, found in rows.items()
    }


def _coefficients(gpu: str, rows: list[dict[str, str]], shape: Mapping[str, float]) -> Coefficients:
    per_token = [float(row["energy_per_token_joules"]) for row in rows]
    active = float(rows[0]["activated_params_billions"]) * 1e9
    per_flop = JOULES_PER_FLOP[gpu]
    prompt = _prefill(2 * active * per_flop)
    low, high = min(per_token), max(per_token)
    return Coefficients(
        prompt=prompt,
        prompt_sq=_prefill(2 * shape["layers"] * shape["d_model"] * per_flop),
        cached=prompt.scaled(*CACHED_SHARE),
        completion=Range(low, math.sqrt(low * high), high),
    )


def _prefill(mid: float) -> Range:
    return Range(mid * PREFILL_RANGE[0], mid, mid * PREFILL_RANGE[1])
