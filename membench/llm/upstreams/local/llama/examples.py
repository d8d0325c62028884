"""The example turns that prompts begin with, computed once by a server instead of for each request.

Where questions are short, the examples of a few-shot prompt are most of it. A server's own prompt
cache would reuse whatever a request has in common with the one before it, which depends on their
order and moves single answers. Here the state after the examples is saved once and put back before
each request, so that every request is computed from the same state, whatever came before it.

llama.cpp: `tools/server/README.md`, `POST /slots/{id_slot}?action=save` and `restore`.
"""

from __future__ import annotations

import asyncio

import orjson

from membench.domain.errors import ProviderFault, Reason
from membench.domain.labels import JsonObject
from membench.llm import openai_protocol
from membench.llm.upstreams.base import Reply
from membench.llm.upstreams.http import HttpUpstream

SLOT = "slots/0"
NOT_FOR_EXAMPLES = ("stream", "stream_options", "max_completion_tokens")
"""Fields of a request that the computation of its examples is not asked with."""


class ExampleState:
    """Sends requests to a server of one slot, which starts each from the state after its examples.

    The state of one beginning is kept; another one replaces it.

    Args:
        http: Where requests are sent.
        control: The root of the same server, where its slots are controlled.
        file: Name of the file, in the server's folder for states, that the state is kept in.
    """

    def __init__(self, http: HttpUpstream, control: HttpUpstream, file: str) -> None:
        """Nothing is computed yet."""
        self._http = http
        self._control = control
        self._file = file
        self._saved = b""
        self._slot = asyncio.Lock()

    async def send(self, endpoint: str, body: openai_protocol.Body) -> Reply:
        """Send a request, from the state after its examples where it has any.

        Raises:
            ProviderFault: The server died, or keeps no states.
        """
        examples = request_of_examples(body)
        if examples is None:
            return await self._http.send(endpoint, body)
        async with self._slot:
            if not await self._put_back(examples):
                return await self._http.send(endpoint, body)
            return await self._http.send(endpoint, {**body, "cache_prompt": True})

    async def _put_back(self, examples: JsonObject) -> bool:
        """Whether the slot holds the state after the examples; they may not fit into it."""
        wanted = orjson.dumps(examples)
        if wanted != self._saved:
            self._saved = b""
            reply = await self._http.send(openai_protocol.CHAT, examples)
            if reply.status >= 400:
                return False
            await self._ask("save")
            self._saved = wanted
        await self._ask("restore")
        return True

    async def _ask(self, action: str) -> None:
        reply = await self._control.send(f"{SLOT}?action={action}", {"filename": self._file})
        if reply.status >= 400:
            said = reply.body.decode(errors="replace")[:200]
            raise ProviderFault(
                Reason.PROVIDER_ERROR, f"the server cannot {action} the state of a slot: {said}"
            )


def request_of_examples(body: openai_protocol.Body) -> JsonObject | None:
    """The request that computes a request's examples: all turns before its last one.

    Returns:
        None where no turn of the model's comes before the last: then there are no examples.
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        return None
    before = messages[:-1]
    if not any(isinstance(turn, dict) and turn.get("role") == "assistant" for turn in before):
        return None
    kept = {name: value for name, value in body.items() if name not in NOT_FOR_EXAMPLES}
    return {**kept, "messages": before, "max_tokens": 1}
