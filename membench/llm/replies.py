"""What came back from an upstream, checked: a usable reply, or the fault that it stands for.

Everything is pure. A reply that is no answer to its request becomes a `CallFault`; what an
upstream sends in another form than it was asked for (a stream for one object, or one object for a
stream) is brought into the form that was asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from membench import tokens
from membench.domain.errors import ProviderFault, Reason
from membench.domain.labels import JsonView
from membench.llm import openai_protocol
from membench.llm.unusable import unusable
from membench.llm.upstreams.base import EVENTS, JSON, Reply
from membench.llm.upstreams.secrets import redacted
from membench.llm.usage import stated_usage
from membench.records.usage import Usage

RETRIED_STATUS = frozenset({408, 409, 425, 429})
LONGEST_WORDS = 300
"""Characters of a provider's own words that a message repeats."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
QUOTA = re.compile(
    r"insufficient_quota|exceeded your current quota|insufficient (?:credit|balance)"
)
"""What a 429 says that no waiting helps against."""
OVERFLOW = re.compile(
    r"context[_ -]?(?:length|window|size)|maximum context|max_model_len"
    r"|(?:prompt|input|request)(?: is)? too (?:long|large)|too many (?:input |prompt )?tokens"
    r"|(?:token|tokens) .{0,40}exceed|exceeds? .{0,40}(?:maximum|max) .{0,20}tokens"
    r"|max_new_tokens` must be|reduce the length of",
    re.IGNORECASE,
)
"""What providers say of a request that is longer than the model's context."""
OVERFLOW_STATUS = frozenset({400, 413, 422})
TAGS = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


class CallFault(ProviderFault):
    """A model call that failed for good.

    Attributes:
        status: HTTP status to hand on.
        body: The upstream's error body, without secrets; empty if there was none.
        retry_after: Seconds the upstream asked to wait.
        passing: Whether trying again may help.
        words: What the upstream said about it, in its own words; empty if nothing.
        refused: Whether the upstream refuses the caller or the model: the next call will fare no
            better.
        may_cost: Whether the model may have worked, and be billed for it; a refusal is not.
        remedy: What the user can do, where the upstream knows.
        retries: Attempts beyond the first that were made.
        cpu_s: CPU seconds that the attempts cost; None where the model's machine is not metered.
        usage: What the call is charged.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str = "",
        *,
        status: int = 502,
        body: bytes = b"",
        retry_after: float | None = None,
        passing: bool = False,
        words: str = "",
        refused: bool = False,
        may_cost: bool = True,
        remedy: str = "",
    ) -> None:
        """Keep what the caller of the gateway needs to know."""
        super().__init__(reason, detail)
        self.status = status
        self.body = body
        self.retry_after = retry_after
        self.passing = passing
        self.words = words
        self.refused = refused
        self.may_cost = may_cost
        self.remedy = remedy
        self.retries = 0
        self.cpu_s: float | None = 0.0
        self.usage = Usage(failed=1)


@dataclass(frozen=True)
class CheckedReply:
    """A reply that is what its endpoint promises, in the form that was asked for.

    Attributes:
        body: Its bytes.
        content_type: JSON or an event stream.
        parts: Its object, or the objects of its events.
    """

    body: bytes
    content_type: str
    parts: tuple[JsonView, ...]


def checked(endpoint: str, request: JsonView, reply: Reply) -> CheckedReply:
    """A usable reply.

    Raises:
        CallFault: It is a refusal, or not what its endpoint promises.
    """
    if reply.status >= 400:
        raise refusal(reply)
    body = reply.body.removeprefix(BYTE_ORDER_MARK)
    streamed = is_stream(reply.content_type, body)
    try:
        parts = list(openai_protocol.sse_data(body)) if streamed else [orjson.loads(body)]
    except ValueError:
        raise _not_json(body, reply.address) from None
    if streamed and not openai_protocol.stream_is_complete(endpoint, body):
        raise _bad_reply("the stream broke off")
    _check_error(parts, reply.address)
    wants_stream = bool(request.get("stream"))
    if streamed and not wants_stream:
        parts, body = _assembled(endpoint, parts)
    problem = _problem(endpoint, request, parts)
    if problem:
        raise _bad_reply(problem)
    if endpoint == openai_protocol.EMBEDDINGS:
        parts, body = _numbered(parts[0], body)
    if wants_stream and not streamed:
        parts, body = _as_stream(endpoint, parts[0])
    return CheckedReply(body, EVENTS if wants_stream else JSON, tuple(parts))


def is_stream(content_type: str, body: bytes) -> bool:
    """Whether a body is an event stream, whatever its content type says."""
    start = body.lstrip()[:6]
    if start.startswith((b"{", b"[")):
        return False
    return content_type == EVENTS or start.startswith((b"data:", b"event:"))


def _assembled(endpoint: str, parts: list[Any]) -> tuple[list[Any], bytes]:
    """The one object that a stream comes to."""
    if endpoint == openai_protocol.RESPONSES:
        whole = parts[-1].get("response", parts[-1]) if parts else None
    else:
        whole = openai_protocol.assembled_chunks(parts)
    return [whole], orjson.dumps(whole)


def _as_stream(endpoint: str, whole: JsonView) -> tuple[list[Any], bytes]:
    """One object in the form of a stream."""
    if endpoint == openai_protocol.RESPONSES:
        events = list(openai_protocol.response_events(whole))
        return events, openai_protocol.response_sse(events)
    chunks = list(openai_protocol.chat_chunks(whole, include_usage=True))
    return chunks, openai_protocol.chat_sse(chunks)


def _check_error(parts: Sequence[Any], address: str) -> None:
    """Refuse an error that came with the status of a success.

    Raises:
        CallFault: With the error's own words.
    """
    error = next((p["error"] for p in parts if isinstance(p, dict) and p.get("error")), None)
    if error is None:
        return
    words = words_of(orjson.dumps({"error": error}))
    code = error.get("code") if isinstance(error, Mapping) else None
    raise CallFault(
        Reason.PROVIDER_RATE_LIMIT if code == 429 else Reason.PROVIDER_BAD_REPLY,
        f"an error instead of a reply{_from(address)}: {words}",
        status=code if isinstance(code, int) and 400 <= code < 600 else 502,
        body=redacted(orjson.dumps({"error": error}).decode()).encode(),
        passing=True,
        words=words,
        refused=code not in (408, 409, 425, 429) and not (isinstance(code, int) and code >= 500),
    )


def _problem(endpoint: str, request: JsonView, parts: list[Any]) -> str | None:
    """What is missing in a reply, if anything."""
    if not parts or not all(isinstance(part, dict) for part in parts):
        return "not an object"
    if endpoint == openai_protocol.CHAT:
        return _chat_problem(parts)
    if endpoint == openai_protocol.EMBEDDINGS:
        return _embedding_problem(request, parts[0])
    if endpoint == openai_protocol.RERANK:
        return None if isinstance(parts[0].get("results"), list) else "no results"
    final = parts[-1].get("response", parts[-1])
    whole = isinstance(final, Mapping) and isinstance(final.get("output"), list)
    return None if whole else "no output"


def _chat_problem(parts: Sequence[JsonView]) -> str | None:
    """What is wrong with a completion, or with the chunks of one."""
    choices: list[Any] = []
    for part in parts:
        given = part.get("choices")
        if given is not None and not isinstance(given, list):
            return "its choices are no list"
        choices.extend(given or ())
    if not choices:
        return "no choices"
    for choice in choices:
        if not isinstance(choice, Mapping):
            return "a choice that is no object"
        message = choice.get("message", choice.get("delta"))
        if not isinstance(message, Mapping):
            return "a choice without a message"
    return None


def _embedding_problem(request: JsonView, reply: JsonView) -> str | None:
    """What is wrong with the vectors of a reply: their number, their width or their content."""
    wanted, data = len(openai_protocol.embedding_inputs(request)), reply.get("data")
    if not isinstance(data, list) or not all(isinstance(item, Mapping) for item in data):
        return "no list of embeddings"
    if len(data) != wanted:
        return f"{len(data)} embeddings for {wanted} inputs"
    vectors = [openai_protocol.vector_of(item.get("embedding")) for item in data]
    if any(vector is None for vector in vectors):
        return "an embedding that is no list of numbers"
    widths = sorted({len(vector) for vector in vectors if vector is not None})
    if len(widths) > 1:
        return f"embeddings of unlike widths {widths}"
    if any(not all(map(math.isfinite, vector)) for vector in vectors if vector is not None):
        return "an embedding that is not finite"
    inputs = openai_protocol.embedding_inputs(request)
    for text, vector in zip(inputs, vectors, strict=True):
        if vector is not None and not any(vector) and _has_words(text):
            return "an embedding of zeros"
    return None


def _has_words(text: str | list[int]) -> bool:
    """Whether there is anything to embed."""
    return bool(text.strip() if isinstance(text, str) else text)


def _numbered(reply: JsonView, body: bytes) -> tuple[list[Any], bytes]:
    """An embeddings reply whose items have numbers, for clients that sort by them."""
    data = reply["data"]
    if _is_order([item.get("index") for item in data]):
        return [reply], body
    whole = {**reply, "data": [{**item, "index": n} for n, item in enumerate(data)]}
    return [whole], orjson.dumps(whole)


def in_order(reply: JsonView) -> list[JsonView]:
    """The items of an embeddings reply in the order of the inputs.

    Items are sorted by `index` if each has one of its own; else they are taken as they come.
    """
    data = list(reply["data"])
    numbers = [item.get("index") for item in data]
    return sorted(data, key=lambda item: item["index"]) if _is_order(numbers) else data


def _is_order(numbers: Sequence[object]) -> bool:
    """Whether some numbers are a permutation of 0, 1, ..."""
    return all(type(n) is int for n in numbers) and set(numbers) == set(range(len(numbers)))


def width_of(reply: CheckedReply) -> int:
    """The width of the vectors in an embeddings reply."""
    vector = openai_protocol.vector_of(reply.parts[0]["data"][0]["embedding"])
    return len(vector or ())


def usage_of(endpoint: str, request: JsonView, parts: Sequence[JsonView]) -> Usage:
    """Usage as stated, else counted, and whether the reply can be of use."""
    if endpoint == openai_protocol.RESPONSES:
        parts = [parts[-1].get("response", parts[-1])]
    stated = next((part["usage"] for part in reversed(parts) if part.get("usage")), None)
    usage = stated_usage(
        endpoint,
        stated,
        lambda: tokens.count_tokens(openai_protocol.request_text(endpoint, request)),
        lambda: tokens.count_tokens(
            "".join(openai_protocol.reply_text(endpoint, part) for part in parts)
        ),
    )
    kind = unusable(endpoint, request, parts)
    return replace(
        usage,
        cut=int(kind == "cut"),
        empty=int(kind == "empty"),
        unparsable=int(kind == "unparsable"),
    )


def words_of(body: bytes) -> str:
    """What an error body says, on one line: its message, or the text of a page; no secrets."""
    text = body.decode(errors="replace")
    try:
        content = orjson.loads(body.removeprefix(BYTE_ORDER_MARK))
    except ValueError:
        content = TAGS.sub(" ", text) if "<" in text else text
    words = " ".join(_message(content).split())
    return beginning(redacted(words))


def beginning(words: str) -> str:
    """A provider's words, cut between two of them where there are too many."""
    if len(words) <= LONGEST_WORDS:
        return words
    whole, space, _ = words[:LONGEST_WORDS].rpartition(" ")
    return f"{whole if space else words[:LONGEST_WORDS]} ..."


def _message(content: object) -> str:
    """The message inside an error object, however it is wrapped."""
    if isinstance(content, Mapping):
        inner = next(
            (content[k] for k in ("error", "message", "detail", "msg") if content.get(k)), ""
        )
        code = content.get("code")
        said = _message(inner) if inner else orjson.dumps(dict(content)).decode()
        return f"{said} ({code})" if isinstance(code, str | int) and str(code) not in said else said
    if isinstance(content, list):
        return "; ".join(map(_message, content))
    return str(content)


def _from(address: str) -> str:
    """Where a reply came from, as part of a message."""
    return f" from {address}" if address else ""


def _not_json(body: bytes, address: str) -> CallFault:
    """A body that is no JSON: another address than that of a model server, most often."""
    words = words_of(body)
    return CallFault(
        Reason.PROVIDER_BAD_REPLY,
        f"not JSON{_from(address)}: {words[:120]!r}" if words else "not JSON: an empty body",
        passing=True,
        words=words,
        refused=body.lstrip().startswith(b"<"),
    )


def _bad_reply(detail: str) -> CallFault:
    """A reply that makes no sense; another attempt may."""
    return CallFault(Reason.PROVIDER_BAD_REPLY, detail, passing=True)


def refusal(reply: Reply) -> CallFault:
    """The fault that a bad status stands for."""
    body = redacted(reply.body.decode(errors="replace"))
    words = words_of(reply.body)
    out_of_quota = reply.status == 429 and QUOTA.search(body.lower()) is not None
    passing = not out_of_quota and (reply.status in RETRIED_STATUS or reply.status >= 500)
    too_long = is_overflow(reply.status, body)
    return CallFault(
        _reason(reply.status, too_long),
        f"HTTP {reply.status}{_from(reply.address)}: {words}",
        status=reply.status,
        body=body.encode(),
        retry_after=reply.retry_after,
        passing=passing,
        words=words,
        refused=not passing and not too_long,
        may_cost=reply.status >= 500,
    )


def is_overflow(status: int, body: str) -> bool:
    """Whether a refusal says that the request is longer than the model's context."""
    return status in OVERFLOW_STATUS and OVERFLOW.search(body) is not None


def _reason(status: int, too_long: bool) -> Reason:
    """Our word for a bad status."""
    if too_long:
        return Reason.CONTEXT_OVERFLOW
    return Reason.PROVIDER_RATE_LIMIT if status == 429 else Reason.PROVIDER_ERROR
