"""What a compliant model would say to systems that speak in tags, for the scripted model server.

The scripted model calls tools of the protocol's own field by itself. Systems that describe their
tools and tags in the prompt need a rule each: one memory per line that was said.
"""

from __future__ import annotations

import orjson

from membench.llm.upstreams.scripted import ReplyRule
from membench.llm.upstreams.scripted.rules import Call, Request, Text, ToolCalls, contains
from membench.testing.package_rules import MOST


def said(text: str) -> list[str]:
    """Lines of a text without those of its date and tags, as many as a reply may hold."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and line[0] not in "[<"][:MOST]


def inserts(request: Request) -> ToolCalls:
    """An entry per line of the piece."""
    calls = [
        Call("new_memory_insert", {"memory_type": "episodic_memory", "content": line})
        for line in said(request.last)
    ]
    return ToolCalls(calls)


def written(name: str, **arguments: str) -> str:
    """A call between tags."""
    call = {"name": name, "arguments": arguments}
    return f"<tool_call>{orjson.dumps(call).decode()}</tool_call>"


def formed(request: Request) -> Text:
    """A fact per new turn, and the first of them as the summary."""
    lines = said(request.last.partition("New turns:")[2])
    facts = [written("create_fact", fact=line) for line in lines]
    return Text("\n".join([*facts, *(written("update_summary", content=x) for x in lines[:1])]))


def added(request: Request) -> Text:
    """The new memory, as it is."""
    new = request.last.partition("New memory: ")[2].partition("\nStored:")[0]
    return Text(written("add_item", document=new))


def searched(request: Request) -> Text:
    """Facts, then turns, then an answer."""
    question = request.text.partition("Question: ")[2].partition("\n")[0]
    before = _spoken(request)
    for name in ("search_facts", "search_turns"):
        if name not in before:
            return Text(written(name, query=question))
    return Text(written("finish", answer=request.last[:80]))


def _spoken(request: Request) -> str:
    """What the model itself said before."""
    messages = request.body.get("messages") or ()
    return "\n".join(str(m.get("content")) for m in messages if m.get("role") == "assistant")


def entries(request: Request) -> Text:
    """An entry per line of the piece; the note and the query are the first ones."""
    lines = said(request.last.partition("The next piece:")[2])
    actions = [f"<add_memory>{line}</add_memory>" for line in lines]
    for tag in ("update_memory", "update_query"):
        actions += [f"<{tag}>{line}</{tag}>" for line in lines[:1]]
    return Text("\n".join(actions))


def state(request: Request) -> Text:
    """The first lines of a block as the state; an answer when no block is left."""
    lines = said(request.last)
    ends = "<answer>the last</answer>" if "No block is left" in request.last else ""
    return Text(f"<think>{' '.join(lines)}</think>{ends or '<search>more</search>'}")


NATIVE_RULES: dict[str, list[ReplyRule]] = {
    "mem-alpha": [ReplyRule(lambda request: bool(request.tools), inserts)],
    "mem-t": [
        ReplyRule(contains("create_fact"), formed),
        ReplyRule(contains("add_item"), added),
        ReplyRule(contains("search_turns"), searched),
    ],
    "atommem": [
        ReplyRule(contains("The next piece:"), entries),
        ReplyRule(contains("boxed"), Text("<final_answer>\\boxed{the first}</final_answer>")),
    ],
    "mem1": [ReplyRule(contains("<information>"), state)],
}
"""By system."""
