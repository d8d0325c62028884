"""What a compliant model would say to third-party packages, for the scripted model server.

The scripted model fills JSON schemas and tools by itself. Packages that describe their format in
words need a rule each: it takes the dialogue out of the prompt and returns one memory per line
that was said, in the package's own format.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from membench.llm.upstreams.scripted import Json, ReplyRule
from membench.llm.upstreams.scripted.rules import Call, Request, Text, ToolCalls, contains

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
    return ToolCalls([Call("Memory", {"content": line}) for line in said(text)[:MOST]])


def section(text: str, name: str) -> str:
    """What stands between the tags `<name>` and `</name>`, a space or underscore in the name."""
    tag = name.replace(" ", "[ _]")
    found = re.search(rf"<{tag}>\n?(.*?)\n?</{tag}>", text, flags=re.DOTALL)
    return found[1] if found else ""


def graphiti_entities(request: Request) -> Json:
    """The speaker and the names of a message, and the conversation itself."""
    message = section(request.last, "CURRENT MESSAGE")
    speakers = [line.partition(":")[0] for line in said(message)]
    names = re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,}", message)
    entities = list(dict.fromkeys([*speakers, *names[:2], "the conversation"]))
    listed = [{"name": name, "entity_type_id": 0, "episode_indices": [0]} for name in entities]
    return Json({"extracted_entities": listed})


def graphiti_edges(request: Request) -> Json:
    """One fact per line, between the first two entities, valid from the reference time."""
    names = re.findall(r'"name": "([^"]+)"', section(request.last, "ENTITIES"))
    time = section(request.last, "REFERENCE TIME").strip().replace("+00:00", "Z")
    facts = said(section(request.last, "CURRENT MESSAGE"))[:MOST] if len(names) > 1 else []
    edges = [
        {
            "source_entity_name": names[0],
            "target_entity_name": names[-1],
            "relation_type": "SAID",
            "fact": fact,
            "valid_at": time,
            "invalid_at": None,
            "episode_indices": [0],
        }
        for fact in facts
    ]
    return Json({"edges": edges})


def graphiti_resolutions(request: Request) -> Json:
    """No two entities are the same."""
    entities = re.findall(r'"id": (\d+),\s*"name": "([^"]+)"', section(request.last, "ENTITIES"))
    resolved = [
        {"id": int(number), "name": name, "duplicate_candidate_id": -1} for number, name in entities
    ]
    return Json({"entity_resolutions": resolved})


def graphiti_times(request: Request) -> Json:
    """A fact holds from the reference time on."""
    time = section(request.last, "REFERENCE TIME").strip().replace("+00:00", "Z")
    return Json({"valid_at": time, "invalid_at": None})


def hindsight_facts(request: Request) -> Json:
    """One fact per line of the chunk."""
    lines = said(request.last.partition("Content:\n")[2])[:MOST]
    blank = dict.fromkeys(("when", "where", "who", "why"), "N/A")
    facts = [
        {**blank, "what": line, "fact_type": "world", "entities": [line.partition(":")[0]]}
        for line in lines
    ]
    return Json({"facts": facts})


def hindsight_observations(request: Request) -> Json:
    """One observation, of the first new fact."""
    found = re.search(r"^\[([0-9a-f-]{36})\] (.*?)(?: \([a-z_]+=|$)", request.last, re.MULTILINE)
    created = [{"text": found[2], "source_fact_ids": [found[1]]}] if found else []
    return Json({"creates": created, "updates": [], "deletes": []})


def simplemem_entries(request: Request) -> Json:
    """One entry per line of the window, at the line's time."""
    window = request.last.partition("[Current Window Dialogues]")[2].partition("[Requirements]")[0]
    lines = re.findall(
        r"^(?:\[([0-9T:.-]+)\] )?([^\s:\[][^:\[]{0,40}: \S.*)$", window, re.MULTILINE
    )
    entries = [
        {
            "lossless_restatement": words,
            "keywords": [words.partition(":")[0]],
            "timestamp": time or None,
            "location": None,
            "persons": [words.partition(":")[0]],
            "entities": [],
            "topic": "conversation",
        }
        for time, words in lines[:MOST]
    ]
    return Json(entries)


def simplemem_queries(request: Request) -> Json:
    """The question itself as the only search."""
    question = re.search(r"Question: (.*)", request.last)
    return Json({"reasoning": "one is enough", "queries": [question[1] if question else "what"]})


def llama_index_new_facts(request: Request) -> Text:
    """One fact per message before the prompt."""
    *talk, _ = request.body["messages"]
    lines = [str(message["content"]) for message in talk][:MOST]
    return Text("".join(f"<fact>{line}</fact>" for line in lines))


def llama_index_condensed(request: Request) -> Text:
    """The newer half of the facts."""
    facts = re.findall(r"<fact>.*?</fact>", section(request.last, "existing_facts"))
    return Text("".join(facts[len(facts) // 2 :]))


def a_mem_note(request: Request) -> Json:
    """Keywords and tags of a note: its speaker and its longest words."""
    words = re.findall(r"\w{5,}", request.last.partition("Content for analysis:")[2])
    longest = sorted(dict.fromkeys(words), key=len, reverse=True)[:3]
    return Json({"keywords": longest, "context": "Said in passing.", "tags": ["talk", *words[:1]]})


def a_mem_evolution(request: Request) -> Json:
    """Links the note to the nearest one, whose tags it rewrites; the others stay as they are."""
    line = r"^\s*memory_id:(\S+)\t.*\tmemory context: (.*)\tmemory keywords: .*\tmemory tags: (.*)$"
    neighbours = re.findall(line, request.last, re.MULTILINE)
    tags = [re.findall(r"'([^']*)'", listed) for _, _, listed in neighbours]
    return Json(
        {
            "should_evolve": bool(neighbours),
            "actions": ["strengthen", "update_neighbor"],
            "suggested_connections": [name for name, _, _ in neighbours[:1]],
            "tags_to_update": ["talk", "linked"],
            "new_context_neighborhood": [context for _, context, _ in neighbours],
            "new_tags_neighborhood": [["talk", "linked"], *tags[1:]],
        }
    )


def memos_memories(request: Request) -> Json:
    """One memory per message of the conversation."""
    talk = request.last.rpartition("Conversation:\n")[2]
    lines = re.findall(r"^(?:user|assistant):\s*(?:\[[^\]]*\]:? )?(.+)$", talk, re.MULTILINE)
    memories = [
        {"key": line[:40], "memory_type": "LongTermMemory", "value": line, "tags": ["talk"]}
        for line in lines[:MOST]
    ]
    return Json({"memory list": memories, "summary": "They talked."})


def cognee_lines(request: Request) -> list[str]:
    """What was said, without the line of the date."""
    return [line for line in said(request.last) if not line.startswith("Date: ")][:MOST]


def cognee_graph(request: Request) -> Json:
    """Speakers as nodes; an edge per line, from its speaker to the conversation."""
    lines = cognee_lines(request)
    speakers = dict.fromkeys(line.partition(":")[0] for line in lines)
    names = [*speakers, "the conversation"]
    nodes = [{"id": name, "name": name, "type": "Person", "description": name} for name in names]
    edges = [
        {
            "source_node_id": line.partition(":")[0],
            "target_node_id": "the conversation",
            "relationship_name": "_".join(re.findall(r"[a-z]+", line.lower())[:8]),
            "description": line,
        }
        for line in lines
    ]
    return Json({"nodes": nodes, "edges": edges})


def cognee_summary(request: Request) -> Json:
    """A fact per line of the chunk."""
    facts = "\n".join(f"- {line}" for line in cognee_lines(request))
    return Json({"summary": f"This chunk is about:\n- Topics: talk\nFacts:\n{facts}"})


def offers(name: str) -> Callable[[Request], bool]:
    """A condition: this tool can be called, and none was called yet."""
    return lambda request: (
        not called(request) and any(tool["name"] == name for tool in request.tools)
    )


def called(request: Request) -> bool:
    """Whether a tool has answered."""
    return any(message["role"] == "tool" for message in request.body.get("messages", ()))


def reme_note(request: Request) -> ToolCalls:
    """A note of the session with a line per message."""
    talk = request.text.partition("# Recent Conversation")[2].partition("# Your Task")[0]
    lines = re.findall(r"^\[(.+?) @ [^\]]+\]\n(.+)$", talk, re.MULTILINE)[:MOST]
    date = re.search(r"^Today: (.+)$", request.text, re.MULTILINE)
    session = re.search(r"^Session ID: (.+)$", request.text, re.MULTILINE)
    assert date is not None and session is not None
    note = {
        "name": f"talk-of-{session[1]}",
        "description": f"What was said in {session[1]}.",
        "session_id": session[1],
        "date": date[1],
        "content": "\n".join(f"- {speaker}: {words}" for speaker, words in lines),
    }
    return ToolCalls([Call("daily_write", note)])


def reme_tags(request: Request) -> ToolCalls:
    """One tag for every note."""
    path = re.search(r"^Target path: (.+)$", request.text, re.MULTILINE)
    assert path is not None
    update = {"path": path[1], "metadata": {"memory_tags": ["the_conversation"]}}
    return ToolCalls([Call("frontmatter_update", update)])


def letta_insert(request: Request) -> ToolCalls:
    """One passage with the lines of a session."""
    lines = [line for line in said(request.last) if not line.startswith("Date: ")][:MOST]
    return ToolCalls([Call("archival_memory_insert", {"content": "\n".join(lines)})])


def everos_episode(request: Request) -> Json:
    """The lines of a conversation as one narrative."""
    talk = request.last.partition("Conversation content:")[2].partition("Custom instructions:")[0]
    spoken = re.findall(r'"speaker": (.*)\n\s*"content": (.*)', talk)[:MOST]
    lines = [f"{speaker.rstrip(',')}: {words}" for speaker, words in spoken]
    return Json({"title": lines[0] if lines else "Talk", "content": "\n".join(lines) or "Talk."})


def everos_facts(request: Request) -> Json:
    """A fact per line of an episode."""
    text = request.last.rpartition('EPISODE_TEXT: "')[2]
    episode, _, rest = text.partition('"\n- TIME: "')
    block = {"time": rest.partition('"')[0], "atomic_fact": said(episode)[:MOST]}
    return Json({"atomic_facts": block})


def everos_profile(request: Request) -> Json:
    """One thing known of somebody: the first line of the newest conversation."""
    return Json({"explicit_info": [everos_known(request)], "implicit_traits": []})


def everos_profile_update(request: Request) -> Json:
    """What is known is replaced by the first line of the newest conversation."""
    change = {"action": "update", "type": "explicit_info", "index": 0}
    return Json({"operations": [{**change, "data": everos_known(request)}]})


def everos_known(request: Request) -> dict[str, str]:
    """An entry of a profile."""
    lines = re.findall(r"^\[\S+\] .*\(user_id:\S+\): (.*)$", request.last, re.MULTILINE)
    line = lines[0] if lines else "nothing"
    return {"category": "talk", "description": line, "evidence": line}


SIMPLEMEM_PLAN = {
    "question_type": "fact",
    "key_entities": [],
    "required_info": [{"info_type": "fact", "description": "the fact", "priority": "high"}],
    "relationships": [],
    "minimal_queries_needed": 1,
}
SIMPLEMEM_COMPLETE = {
    "assessment": "complete",
    "reasoning": "all there",
    "missing_info_types": [],
    "coverage_percentage": 100,
}


def titled(title: str) -> Callable[[Request], bool]:
    """A condition: the reply is to fit the schema of this title."""
    return lambda request: (request.schema or {}).get("title") == title


GRAPHITI = [
    ReplyRule(titled("ExtractedEntities"), graphiti_entities),
    ReplyRule(titled("ExtractedEdges"), graphiti_edges),
    ReplyRule(titled("NodeResolutions"), graphiti_resolutions),
    ReplyRule(titled("EdgeTimestamps"), graphiti_times),
    ReplyRule(titled("SummarizedEntities"), Json({"summaries": []})),
    ReplyRule(titled("EdgeDuplicate"), Json({"duplicate_facts": [], "contradicted_facts": []})),
]


RULES: dict[str, list[ReplyRule]] = {
    "a-mem-fork": [
        ReplyRule(contains("Generate a structured analysis of the following"), a_mem_note),
        ReplyRule(contains("AI memory evolution agent"), a_mem_evolution),
    ],
    "everos": [
        ReplyRule(
            contains("memory boundary detection expert"),
            Json({"reasoning": "one talk", "boundaries": [], "should_wait": False}),
        ),
        ReplyRule(contains("episodic memory generation expert"), everos_episode),
        ReplyRule(contains('EPISODE_TEXT: "'), everos_facts),
        ReplyRule(contains('You are a "User Profile Analyst"'), everos_profile),
        ReplyRule(contains("You are a user profile updater"), everos_profile_update),
    ],
    "cognee": [
        ReplyRule(contains("structured formats to build a knowledge graph"), cognee_graph),
        ReplyRule(contains("Summarize the chunk for retrieval"), cognee_summary),
    ],
    "letta": [
        ReplyRule(
            lambda request: bool(request.tools) and request.last_role == "user", letta_insert
        ),
        ReplyRule(lambda request: bool(request.tools), Text("Done.")),
    ],
    "mem0": [ReplyRule(contains("## New Messages"), mem0_extraction)],
    "langmem": [ReplyRule(lambda request: bool(request.tools), langmem_memories)],
    "memos-general": [ReplyRule(contains("You are a memory extraction expert"), memos_memories)],
    "memos-tree": [ReplyRule(contains("You are a memory extraction expert"), memos_memories)],
    "hindsight": [
        ReplyRule(contains("Extract facts from the following chunk"), hindsight_facts),
        ReplyRule(contains("You are a memory consolidation system"), hindsight_observations),
    ],
    "llama_index_facts": [
        ReplyRule(contains("precise fact condensing system"), llama_index_condensed),
        ReplyRule(contains("precise fact extraction system"), llama_index_new_facts),
    ],
    "reme": [
        ReplyRule(offers("daily_write"), reme_note),
        ReplyRule(offers("frontmatter_update"), reme_tags),
        ReplyRule(lambda request: bool(request.tools) and called(request), Text("Done.")),
    ],
    "simplemem": [
        ReplyRule(contains("[Current Window Dialogues]"), simplemem_entries),
        ReplyRule(contains("information requirement analyst"), Json(SIMPLEMEM_PLAN)),
        ReplyRule(contains("targeted query 1"), simplemem_queries),
        ReplyRule(contains('"complete" OR "incomplete"'), Json(SIMPLEMEM_COMPLETE)),
    ],
    "graphiti": GRAPHITI,
    "graphiti-falkordb": GRAPHITI,
}
"""By system."""
