"""What a compliant model would say to third-party packages, for the scripted model server.

The scripted model fills JSON schemas and tools by itself. Packages that describe their format in
words need a rule each: it takes the dialogue out of the prompt and returns one memory per line
that was said, in the package's own format.
"""

from __future__ import annotations

import re

from membench.harness.llm.scripted import Call, Json, Request, Rule, ToolCalls, contains

MOST = 12
"""Memories per reply."""


def said(text: str) -> list[str]:
    """Lines of the form `Speaker: words` in a text, without the speaker's role."""
    found = []
    for line in text.splitlines():
        words = re.sub(r"^(user|assistant|human|ai):\s*", "", line.strip(), flags=re.IGNORECASE)
        if re.match(r"^[^\s:{\[\"#-][^:{]{0,40}: \S", words):
            found.append(words)
    return found


def mem0_extraction(request: Request) -> Json:
    """Facts of the section of new messages."""
    section = request.last.partition("## New Messages")[2].partition("## Observation Date")[0]
    lines = said(section)[:MOST]
    return Json({"memory": [{"id": str(n), "text": line} for n, line in enumerate(lines)]})


def langmem_memories(request: Request) -> ToolCalls:
    """One tool call per memory, as the manager asks for."""
    text = re.sub(r"^.*?\[(\w+day, [^\]]+)\] ", "", request.last, flags=re.MULTILINE)
    tool = str(request.tools[0]["name"])
    return ToolCalls([Call(tool, {"content": line}) for line in said(text)[:MOST]])


RULES: dict[str, list[Rule]] = {
    "mem0": [Rule(contains("## New Messages"), mem0_extraction)],
    "langmem": [Rule(lambda request: bool(request.tools), langmem_memories)],
}
"""By system."""
