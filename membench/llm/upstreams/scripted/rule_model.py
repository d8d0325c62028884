"""From request to reply: the scripted model itself, without any transport.

By default it does what a compliant model would at least do: JSON of the requested schema, a call of
the requested tool with arguments of its schema (with `tool_choice` absent or `auto` only while
the last word is not a tool's, so that agent loops end), one of two words where the prompt ends by
offering them ("one word: yes or no"), and otherwise a sentence of the prompt.
Everything depends on the request alone.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import orjson

from membench import tokens
from membench.domain.labels import JsonObject, JsonView
from membench.llm import openai_protocol
from membench.llm.cassette import request_key
from membench.llm.upstreams.scripted.rules import (
    Call,
    Json,
    Reply,
    ReplyRule,
    Request,
    Scores,
    Script,
    Text,
    ToolCalls,
    Vectors,
)
from membench.llm.upstreams.scripted.schema import instance
from membench.llm.upstreams.scripted.vectors import WIDTH, embed

NAME = "scripted"
_TWO_WORDS = re.compile(r"(?:one word: |answer )(\w+) or (\w+)(?: only)?[.?!]?\s*$", re.IGNORECASE)


class ScriptedModel:
    """Answers requests of the OpenAI protocol by a script.

    Args:
        script: Rules (or a `Script` with recordings too).
        width: Default number of embedding dimensions; a request's `dimensions` wins.
    """

    def __init__(self, script: Script | Sequence[ReplyRule] = (), width: int = WIDTH) -> None:
        """Start with nothing served."""
        self.script = script if isinstance(script, Script) else Script(script)
        self.width = width
        self._served = 0
        self._replayed: Counter[str] = Counter()

    def recorded(self, endpoint: str, body: JsonView) -> bytes | None:
        """The recorded reply to this occurrence of a request; the last one repeats."""
        if not self.script.recordings:
            return None
        canonical = request_key.canonical(endpoint, body)
        replies = self.script.recordings.get(canonical.sha256, ())
        if not replies:
            return None
        nth = min(self._replayed[canonical.sha256], len(replies) - 1)
        self._replayed[canonical.sha256] += 1
        return canonical.restore(replies[nth])

    def reply(self, endpoint: str, body: JsonView) -> openai_protocol.Body:
        """The reply object of one request, never a stream.

        Args:
            endpoint: One of `openai_protocol.ENDPOINTS`.
            body: The request.
        """
        request = Request(endpoint, body, self._served)
        self._served += 1
        match endpoint:
            case openai_protocol.EMBEDDINGS:
                return self._embeddings(request)
            case openai_protocol.RERANK:
                return self._rerank(request)
            case openai_protocol.RESPONSES:
                return self._response(request)
        return self._chat(request)

    def _chat(self, request: Request) -> openai_protocol.Body:
        """A chat completion with `n` choices."""
        replies = self._samples(request)
        choices = [_choice(reply, request, salt) for salt, reply in enumerate(replies)]
        usage = _chat_usage(request, choices, sum(_reasoning(reply) for reply in replies))
        return openai_protocol.chat_completion(_model(request), choices, usage)

    def _samples(self, request: Request) -> list[Reply]:
        """One reply per wanted choice."""
        count = int(request.body.get("n") or 1)
        samples = (
            Request(request.endpoint, request.body, request.number, index) for index in range(count)
        )
        return [self._say(sample) for sample in samples]

    def _response(self, request: Request) -> openai_protocol.Body:
        """A responses object."""
        reply = self._say(request)
        choice = _choice(reply, request, 0)
        usage = _chat_usage(request, [choice], _reasoning(reply))
        renamed = {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": usage["completion_tokens_details"],
            "total_tokens": usage["total_tokens"],
        }
        return openai_protocol.response_object(
            _model(request), _output_items(choice["message"]), renamed
        )

    def _say(self, request: Request) -> Reply:
        """The reply of the script, or else the default."""
        reply = self.script.find(request)
        return default_reply(request) if reply is None else reply

    def _embeddings(self, request: Request) -> openai_protocol.Body:
        """Vectors by rule, else by hash."""
        inputs = openai_protocol.embedding_inputs(request.body)
        reply = self.script.find(request)
        width = int(request.body.get("dimensions") or self.width)
        if isinstance(reply, Vectors):
            import numpy as np

            vectors = np.asarray(reply.rows, dtype=np.float32)
        else:
            vectors = embed([_as_text(given) for given in inputs], width)
        count = sum(_input_tokens(given) for given in inputs)
        usage = {"prompt_tokens": count, "total_tokens": count}
        encoding = str(request.body.get("encoding_format") or "float")
        return openai_protocol.embedding_list(_model(request), vectors, encoding, usage)

    def _rerank(self, request: Request) -> openai_protocol.Body:
        """Scores by rule, else similarity of hashed vectors; best first."""
        documents = [
            openai_protocol.document_text(each) for each in request.body.get("documents") or ()
        ]
        reply = self.script.find(request)
        if isinstance(reply, Scores):
            scores = [float(score) for score in reply.scores]
        else:
            vectors = embed([str(request.body.get("query", "")), *documents], WIDTH)
            scores = [float(score) for score in vectors[1:] @ vectors[0]]
        order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
        best = order[: int(request.body.get("top_n") or len(order))]
        count = tokens.count_tokens(request.text)
        return {
            "id": openai_protocol.stable_id("rerank", request.text),
            "model": _model(request),
            "results": [{"index": i, "relevance_score": scores[i]} for i in best],
            "usage": {"total_tokens": count},
        }


def default_reply(request: Request) -> Reply:
    """The reply when no rule covers a chat or responses request."""
    call = _wanted_call(request)
    if call is not None:
        return ToolCalls([call])
    texts = sentences(request.last)
    if request.schema is not None:
        return Json(instance(request.schema, seed_of(request), texts))
    offered = _TWO_WORDS.search(request.last)
    if offered:
        return Text(offered[1 + _number(seed_of(request)) % 2])
    sentence = texts[_number(seed_of(request)) % len(texts)] if texts else NAME
    return (
        Json({"answer": sentence})
        if openai_protocol.wants_json_object(request.body)
        else Text(sentence)
    )


def _wanted_call(request: Request) -> Call | None:
    """The tool call that a request forces or invites."""
    choice = request.body.get("tool_choice", "auto")
    if not request.tools or choice == "none":
        return None
    if isinstance(choice, Mapping):
        name = (choice.get("function") or choice).get("name")
        return Call(str(name)) if name else None
    if choice == "required" or request.last_role != "tool":
        return Call(str(request.tools[0]["name"]))
    return None


def sentences(text: str) -> list[str]:
    """Lines and sentences of a text, at most 120 characters each."""
    parts = (part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text))
    return [part[:120] for part in parts if part]


def seed_of(request: Request) -> str:
    """What default choices depend on: the text and which sample it is."""
    return f"{hashlib.sha256(request.text.encode()).hexdigest()}/{request.sample}"


def _number(seed: str) -> int:
    """A number from a seed."""
    return int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest(), "big")


def _choice(reply: Reply, request: Request, index: int) -> openai_protocol.Body:
    """A chat choice from a reply, cut at the request's output limit."""
    message: openai_protocol.Body = {"role": "assistant", "content": None, "refusal": None}
    if isinstance(reply, ToolCalls):
        message["tool_calls"] = [
            _tool_call(call, request, f"{index}.{number}")
            for number, call in enumerate(reply.calls)
        ]
        return {"message": message, "finish_reason": "tool_calls"}
    content = orjson.dumps(reply.value).decode() if isinstance(reply, Json) else _words(reply)
    finish = reply.finish_reason if isinstance(reply, Text) else "stop"
    limit = openai_protocol.output_limit(request.body)
    pieces = tokens.encoding().encode_ordinary(content) if limit is not None else []
    if limit is not None and len(pieces) > limit:
        content, finish = tokens.encoding().decode(pieces[:limit]), "length"
    return {"message": {**message, "content": content}, "finish_reason": finish}


def _words(reply: Reply) -> str:
    """The text of a reply."""
    if not isinstance(reply, Text):
        raise TypeError(f"a rule answered a chat request with {type(reply).__name__}")
    return reply.content


def _tool_call(call: Call, request: Request, path: str) -> openai_protocol.Body:
    """A tool call object; missing arguments come from the tool's schema."""
    arguments = call.arguments
    if arguments is None:
        schemas = {tool["name"]: tool.get("parameters") or {} for tool in request.tools}
        schema = {"type": "object", **schemas.get(call.name, {})}
        arguments = instance(schema, f"{seed_of(request)}/{path}", sentences(request.last))
    return {
        "id": openai_protocol.stable_id("call", request.text, call.name, path),
        "type": "function",
        "function": {"name": call.name, "arguments": orjson.dumps(arguments).decode()},
    }


def _output_items(message: JsonView) -> list[openai_protocol.Body]:
    """The output items of a responses object with the content of a chat message."""
    calls = message.get("tool_calls")
    if calls:
        return [
            {
                "type": "function_call",
                "id": f"fc_{call['id']}",
                "call_id": call["id"],
                "status": "completed",
                **call["function"],
            }
            for call in calls
        ]
    part = {"type": "output_text", "text": message["content"], "annotations": [], "logprobs": []}
    name = openai_protocol.stable_id("msg", message["content"])
    base = {"type": "message", "id": name, "status": "completed", "role": "assistant"}
    return [{**base, "content": [part]}]


def _chat_usage(request: Request, choices: Sequence[JsonView], reasoning: int) -> JsonObject:
    """Usage of a chat reply, counted with `membench.tokens`."""
    taken = tokens.count_tokens(request.text)
    text = openai_protocol.reply_text(openai_protocol.CHAT, {"choices": choices})
    given = tokens.count_tokens(text) + reasoning
    return {
        "prompt_tokens": taken,
        "completion_tokens": given,
        "total_tokens": taken + given,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def _reasoning(reply: Reply) -> int:
    """Reasoning tokens that a rule pretends to."""
    return reply.reasoning_tokens if isinstance(reply, Text) else 0


def _model(request: Request) -> str:
    """The model name that a reply states: the one asked for."""
    return str(request.body.get("model", NAME))


def _as_text(given: str | list[int]) -> str:
    """An embedding input as text; token ids become one word each."""
    return given if isinstance(given, str) else " ".join(f"token{number}" for number in given)


def _input_tokens(given: str | list[int]) -> int:
    """Tokens of an embedding input."""
    return tokens.count_tokens(given) if isinstance(given, str) else len(given)
