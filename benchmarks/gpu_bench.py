"""The bench of the GPU's energy tests: the device, its meter, the shapes of the work."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from membench.energy.sampling.sampler import EnergySession
from membench.energy.sources.nvml import NvmlSource


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes:
        id: G1 to G13.
        test: What was done.
        expected: What the reference expects.
        observed: What was seen.
        verdict: `pass`, `fail`, `recorded` (nothing to pass) or `not run`.
    """

    id: str
    test: str
    expected: str
    observed: str
    verdict: str

    def line(self) -> str:
        """For people, as the tests go on."""
        return f"{self.id:>4} {self.verdict:>9}  {self.observed}"


@dataclass(frozen=True)
class Load:
    """A stretch of work: joules, seconds, and how often the work was done."""

    joules: float
    seconds: float
    times: int

    @property
    def watts(self) -> float:
        """Mean power."""
        return self.joules / self.seconds


@dataclass
class Bench:
    """The device, its meter, and the shapes of the work.

    Attributes:
        source: Opened; reads the counter of one GPU.
        session: Samples in the background.
        device: Of PyTorch.
        scale: Factor on every duration.
        shape: Sizes of model and matrices.
    """

    source: NvmlSource
    session: EnergySession
    device: str
    scale: float
    shape: SimpleNamespace
    tick_s: float = 0.1
    idle_w: float = 0.0
    model: Any = None
    per_token: dict[int, float] = field(default_factory=dict)
    """Joules per token of eager decoding by batch, once measured."""

    def counter(self) -> float:
        """Cumulative joules now."""
        joules = self.source.read()[0].joules
        if joules is None:
            raise RuntimeError("the counter could not be read")
        return joules

    def sync(self) -> None:
        """Wait for the device."""
        import torch

        if self.device.startswith("cuda"):
            torch.cuda.synchronize()

    def idle(self, name: str, seconds: float) -> Load:
        """Do nothing for a while."""
        with self.session.window(name):
            before, start = self.counter(), time.perf_counter()
            time.sleep(seconds * self.scale)
            return Load(self.counter() - before, time.perf_counter() - start, 1)

    def run(
        self, name: str, work: Callable[[], object], seconds: float, *, warm: bool = True
    ) -> Load:
        """Repeat some work for a while, the device drained at both ends.

        Args:
            name: Of the marked window.
            work: What is repeated.
            seconds: For how long; the last piece is finished.
            warm: Do the work once before, for what it does only the first time.
        """
        if warm:
            work()
            self.sync()
        times = 0
        with self.session.window(name):
            before, start = self.counter(), time.perf_counter()
            while time.perf_counter() - start < seconds * self.scale or times == 0:
                work()
                self.sync()
                times += 1
            return Load(self.counter() - before, time.perf_counter() - start, times)

    def gemm(self) -> Callable[[], object]:
        """A product of two random square matrices; zeros would draw less."""
        import torch

        n = self.shape.gemm
        a, b = (torch.randn(n, n, device=self.device, dtype=self.shape.dtype) for _ in range(2))
        return lambda: a @ b

    def tokens(self, batch: int, length: int) -> Any:
        """Random token ids."""
        import torch

        return torch.randint(3, self.shape.vocabulary, (batch, length), device=self.device)

    def generate(self, batch: int, new: int = 0, **options: Any) -> Callable[[], object]:
        """Decode a fixed number of tokens (the shape's, if 0) from a short prompt."""
        ids, new = self.tokens(batch, 32), new or self.shape.new_tokens
        return lambda: self.model.generate(
            ids,
            attention_mask=ids.new_ones(ids.shape),
            max_new_tokens=new,
            min_new_tokens=new,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
            **options,
        )

    def prefill(self, length: int) -> Callable[[], object]:
        """Read a prompt, keep only the last logits."""
        import torch

        ids = self.tokens(1, length)

        def work() -> object:
            with torch.inference_mode():
                return self.model(input_ids=ids, use_cache=False, logits_to_keep=1)

        return work


def shapes(*, rehearse: bool) -> SimpleNamespace:
    """Sizes of the work."""
    import torch

    if rehearse:
        return SimpleNamespace(
            gemm=256, dtype=torch.float32, vocabulary=512, hidden=64, layers=2, heads=4, kv=2,
            ffn=128, new_tokens=8, batches=(1, 4, 16), prompts=(32, 64, 128), fill_bytes=1e6,
        )  # fmt: skip
    return SimpleNamespace(
        gemm=8192, dtype=torch.bfloat16, vocabulary=128256, hidden=2048, layers=16, heads=32, kv=8,
        ffn=8192, new_tokens=128, batches=(1, 8, 64, 256), prompts=(512, 2048, 8192, 16384),
        fill_bytes=40e9,
    )  # fmt: skip


def random_model(shape: SimpleNamespace, device: str) -> Any:
    """A Llama with random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv,
        intermediate_size=shape.ffn,
        vocab_size=shape.vocabulary,
        max_position_embeddings=32768,
        eos_token_id=None,
        bos_token_id=1,
    )
    torch.manual_seed(0)
    with torch.device(device):
        return LlamaForCausalLM(config).to(shape.dtype).eval()


class RehearsalNvml:
    """A counter made of time and of this process's CPU seconds; it ticks every 20 ms."""

    NVMLError = RuntimeError
    NVML_FI_DEV_POWER_INSTANT = 186

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Everything else a driver may be asked."""
        known = {
            "nvmlDeviceGetCount": 1,
            "nvmlDeviceGetUUID": "GPU-rehearsal",
            "nvmlDeviceGetName": "rehearsal",
            "nvmlDeviceGetMigMode": (0, 0),
            "nvmlDeviceGetComputeRunningProcesses": (),
        }
        return lambda *arguments: known.get(name)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any) -> int:  # noqa: N802
        """Millijoules: 60 W and 100 J per CPU second."""
        tick = math.floor(time.monotonic() / 0.02) * 0.02
        return int(1000 * (60 * tick + 100 * round(time.process_time() / 0.02) * 0.02))

    def nvmlDeviceGetFieldValues(self, handle: Any, ids: Sequence[int]) -> list[Any]:  # noqa: N802
        """Milliwatts, of one busy core."""
        return [SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal=160_000))]


def only(index: int) -> str:
    """Show CUDA the device that the driver counts under a number, and no other.

    PyTorch and Zeus count what is visible, and CUDA by default the fastest first.
    """
    os.environ |= {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": str(index)}
    return "cuda:0"
