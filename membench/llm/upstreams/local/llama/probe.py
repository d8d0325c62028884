"""How fast a local language model is on this machine: two seconds of real requests."""

from __future__ import annotations

import asyncio
import time

import orjson

from membench.domain.errors import ProviderFault
from membench.llm import openai_protocol
from membench.llm.upstreams.local.entry import ModelSpeed
from membench.llm.upstreams.local.llama.server import LlamaServer, ServerSettings
from membench.tokens import count_tokens

PROBE_S = 2.0
TEXT = (
    '12 May 2031: Ada said, "The ferry was late again, so we had tea in the harbour office and '
    'talked about the winter market until it came."\n'
)
LINES = 6
"""Of `TEXT` in a prompt, each with a number of its own, so that no two prompts are equal."""


def probe(settings: ServerSettings, servers: int) -> ModelSpeed | None:
    """Load the model once, ask it for two seconds, and say how fast it was.

    Args:
        settings: Of each server.
        servers: How many a run would have; they are taken to be as fast as the one.

    Returns:
        None if it cannot be loaded.
    """
    try:
        return asyncio.run(_probe(settings, servers))
    except ProviderFault:
        return None


async def _probe(settings: ServerSettings, servers: int) -> ModelSpeed | None:
    server = LlamaServer(settings)
    prompt_n = prompt_ms = predicted_n = predicted_ms = counted = 0.0
    try:
        await server.start()
        assert server.http is not None
        until, number = time.monotonic() + PROBE_S, 0
        while number == 0 or time.monotonic() < until:
            text = "".join(f"{number}.{n} {TEXT}" for n in range(LINES))
            reply = await server.http.send(openai_protocol.CHAT, _request(settings.name, text))
            timings = orjson.loads(reply.body).get("timings") or {}
            prompt_n += timings.get("prompt_n", 0)
            prompt_ms += timings.get("prompt_ms", 0)
            predicted_n += timings.get("predicted_n", 0)
            predicted_ms += timings.get("predicted_ms", 0)
            counted += count_tokens(text)
            number += 1
    finally:
        await server.stop()
    if not prompt_ms or not predicted_ms:
        return None
    return ModelSpeed(
        1000 * prompt_n / prompt_ms,
        1000 * predicted_n / predicted_ms,
        servers * settings.slots,
        prompt_n / counted,
    )


def _request(name: str, text: str) -> openai_protocol.Body:
    messages = [{"role": "user", "content": text}]
    return {"model": name, "messages": messages, "max_tokens": 16, "temperature": 0}
