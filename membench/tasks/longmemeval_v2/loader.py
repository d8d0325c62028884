"""From LongMemEval-V2's files to cases: one per set of trajectories, shared by its questions.

A trajectory is a session: its goal, then a turn per state with address, thought, action and page
as text, then its outcome. There are no dates. A system sees that, and the question's words: it
sees neither type nor id of a question, nor ids of trajectories, and questions come in an order that
tells nothing. Those with a picture are left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from membench.domain.case import Ask, Case, Event, Finalize, Ingest, Question, Session, Turn
from membench.tasks.files.node import Node
from membench.tasks.longmemeval_v2.files import Benchmark
from membench.tasks.longmemeval_v2.gold import TYPES, HaystackGold, HaystackQuestion
from membench.tasks.longmemeval_v2.rules import parse_rule

NAME = "longmemeval_v2"
FIELDS = (("url", "Address"), ("thought", "Thought"), ("action", "Action"))


@dataclass(frozen=True)
class Asked:
    """A question and where it is asked."""

    node: Node
    haystack: Node


def read_cases(
    data: Benchmark, opaque: Callable[[str], str], *, pages: bool
) -> Iterator[tuple[Case, HaystackGold]]:
    """The cases in the order of their first questions.

    Raises:
        DataError: A field is missing or of the wrong kind; names its place.
    """
    groups: dict[tuple[str, ...], list[Asked]] = {}
    seen: set[str] = set()
    for node in data.questions:
        name = node["id"].text()
        if name in seen:
            raise node["id"].error(f"'{name}' is already there")
        seen.add(name)
        if node.get("image") is None:
            haystack = data.haystacks[name]
            groups.setdefault(haystack.strings(), []).append(Asked(node, haystack))
    for asked in groups.values():
        yield read_case(data, asked, opaque, pages=pages)


def read_case(
    data: Benchmark, asked: list[Asked], opaque: Callable[[str], str], *, pages: bool
) -> tuple[Case, HaystackGold]:
    """One set of trajectories with its questions."""
    first = asked[0]
    case_id = f"{first.node['domain'].text()}/{first.node['id'].text()}"
    turn_ids: dict[str, str] = {}
    sessions = []
    for index, wanted in enumerate(first.haystack.items()):
        trajectory = data.trajectories.find(wanted)
        session = read_trajectory(trajectory, index, pages=pages)
        sessions.append(session)
        turn_ids |= {
            f"{wanted.value}/{turn.id.partition(':')[2]}": turn.id for turn in session.turns
        }
    if not sessions:
        raise first.haystack.error("expected at least one trajectory")
    timeline: list[Event] = [*map(Ingest, sessions), Finalize()]
    questions: dict[int, HaystackQuestion] = {}
    for each in sorted(asked, key=lambda a: opaque(a.node["id"].text())):
        questions[len(timeline)] = read_question(each.node)
        timeline.append(Ask(Question(each.node["question"].text())))
    case = Case(opaque(case_id), NAME, tuple(timeline))
    return case, HaystackGold(case_id, questions, turn_ids)


def read_question(node: Node) -> HaystackQuestion:
    """The gold of one question."""
    spec = node["eval_function"]
    try:
        rule = parse_rule(spec.text())
    except ValueError as problem:
        raise spec.error(str(problem)) from None
    return HaystackQuestion(
        question_id=node["id"].text(),
        category=node["question_type"].one_of(tuple(TYPES)),
        answer=node["answer"].answer(),
        rule=rule,
    )


# --- trajectories ------------------------------------------------------------------------------


def read_trajectory(node: Node, index: int, *, pages: bool) -> Session:
    """One trajectory as a session."""
    key = f"t{index}"
    where = " ".join(
        f"{name}: {shown}." for name in ("domain", "environment") if (shown := value_of(node, name))
    )
    goal = f"Goal: {node['goal'].text()} {where}".strip()
    turns = [Turn(f"{key}:goal", "user", "user", goal, goal)]
    for state in node["states"].items():
        if text := read_state(state, pages=pages):
            name = f"{key}:{state['state_index'].integer()}"
            turns.append(Turn(name, "agent", "assistant", text, text))
    if outcome := value_of(node, "outcome"):
        text = f"Outcome: {outcome}"
        turns.append(Turn(f"{key}:outcome", "agent", "assistant", text, text))
    if len({turn.id for turn in turns}) < len(turns):
        raise node["states"].error("a state_index comes twice")
    return Session(key, index, tuple(turns))


def read_state(node: Node, *, pages: bool) -> str:
    """A state in words: where, what was thought and done, and what the page showed."""
    found = [f"{title}: {shown}" for name, title in FIELDS if (shown := value_of(node, name))]
    if pages and (page := value_of(node, "accessibility_tree")):
        found.append(f"Page: {page}")
    return "\n".join(found)


def value_of(node: Node, name: str) -> str:
    """A member as text, as JSON where it is none; empty where it is missing."""
    found = node.get(name)
    if found is None:
        return ""
    return found.value.strip() if isinstance(found.value, str) else json.dumps(found.value)
