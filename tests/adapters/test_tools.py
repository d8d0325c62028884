"""Tools of a model: calls in the protocol's field or between tags, the malformed ones counted."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from native import in_turn, talk
from pydantic import Field

from membench.adapters.parts.last_question import LastQuestion
from membench.adapters.parts.segments import each_turn, joined, runs
from membench.adapters.parts.tags import Tagged, last_of, tagged
from membench.adapters.parts.tools import Said, Tool, ToolModel, offer
from membench.domain.answer import Message
from membench.domain.errors import ProviderFault
from membench.domain.labels import Role
from membench.domain.system import ModelEndpoint, Query, SystemContext
from membench.llm.upstreams.scripted.rules import Call, Request, ToolCalls
from membench.testing.scripted import ScriptedServer, ServerFault
from membench.tokens import count_tokens

TALK = (Message("system", "Keep it."), Message("user", "Ann moved to Porto."))


class Store(Tool):
    """Store a text."""

    named: ClassVar[str] = "store_text"
    place: Literal["here", "there"]
    text: Annotated[str, Field(max_length=10)] = ""


def model_of(server: ScriptedServer, prompt_tokens: int = 1000) -> ToolModel:
    models = {Role.MEMORY: ModelEndpoint(server.base_url, "key", "scripted")}
    context = SystemContext({}, 0, Path(), count_tokens, models)
    return ToolModel(context, prompt_tokens, 500)


def says(reply: object, *, field: bool = True) -> tuple[Said, ToolModel, Request]:
    """What comes of one reply to an offer of one tool."""
    with ScriptedServer(in_turn(reply)) as server:
        model = model_of(server)
        said = model.say(TALK, [Store], field=field)
        model.close()
        return said, model, server.requests[0]


def call(arguments: str) -> str:
    return f'<tool_call>{{"name": "store_text", "arguments": {arguments}}}</tool_call>'


def test_a_call_of_the_protocols_field_is_a_filled_in_form() -> None:
    said, model, request = says(ToolCalls([Call("store_text", {"place": "here", "text": "a"})]))
    assert said.calls == (Store(place="here", text="a"),)
    assert [tool["name"] for tool in request.tools] == ["store_text"]
    assert request.tools[0]["description"] == "Store a text."
    assert model.counts.to_json() == {"asked": 1} | dict.fromkeys(
        ("retried", "repaired", "clipped", "empty", "unknown", "unusable", "cut"), 0
    )


def test_calls_between_tags_are_read_in_order_and_the_words_around_them_stay() -> None:
    text = "First. " + call('{"place": "here"}')
    said, _, request = says(text + call('{"place": "there"}'), field=False)
    assert said.calls == (Store(place="here"), Store(place="there"))
    assert said.text.startswith("First. <tool_call>")
    assert request.tools == []
    assert '"name":"store_text"' in request.text


BARE = '{"name": "store_text", "arguments": {"place": "here"}}'


@pytest.mark.parametrize(
    ("reply", "calls"),
    [
        (f"```json\n{BARE}\n```", 1),
        (f"I keep two things.\n```\n{BARE}\n```\n```json\n{BARE}\n```", 2),
        (f"[{BARE}, {BARE}]", 2),
        (BARE[:-2], 1),
        ('```json\n{"name": "Ann", "arguments": {}}\n```', 0),
        ("There is nothing to store_text.", 0),
        ('["store_text"]', 0),
        ('{"name": ["store_text"]}', 0),
    ],
)
def test_json_that_names_a_tool_is_a_call_where_a_model_leaves_the_tags_out(
    reply: str, calls: int
) -> None:
    said, model, _ = says(reply)
    assert said.calls == (Store(place="here"),) * calls
    assert (model.counts.empty, model.counts.repaired) == (int(not calls), calls)


@pytest.mark.parametrize(
    ("reply", "counted"),
    [
        (call('{"place": "nowhere"}'), {"unknown": 1, "unusable": 1}),
        (call('["here"]'), {"unknown": 1, "unusable": 1}),
        (call("{}"), {"unknown": 1, "unusable": 1}),
        ("<tool_call>store it!</tool_call>", {"unknown": 1, "unusable": 1}),
        (ToolCalls([Call("burn", {})]), {"unknown": 1, "unusable": 1}),
        ("I would rather not.", {"empty": 1}),
        ("", {"empty": 1}),
        (call("{'place': 'here',}"), {"repaired": 1}),
        ('<tool_call>{"name": "store_text", "arguments": {"place": "here"}', {"repaired": 1}),
        (call('{"place": "here", "text": "' + "long " * 10_000 + '"}'), {}),
        (call('{"place": "here", "text": "eleven chars"}'), {"clipped": 1}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_cannot_be_used_is_counted_and_never_raises(
    reply: object, counted: dict[str, int]
) -> None:
    said, model, _ = says(reply)
    found = {name: n for name, n in model.counts.to_json().items() if n and name != "asked"}
    if counted:
        assert found == counted
    assert len(said.calls) == (0 if {"unusable", "empty"} & set(counted) else 1)


def test_one_bad_call_among_good_ones_is_skipped() -> None:
    said, model, _ = says(call('{"place": "here"}') + call('{"place": 7}'))
    assert (said.calls, said.tried) == ((Store(place="here"),), 2)
    assert (model.counts.unknown, model.counts.unusable) == (1, 0)


def test_the_last_message_is_cut_to_what_a_prompt_may_hold() -> None:
    with ScriptedServer(in_turn("done")) as server:
        model = model_of(server, prompt_tokens=20)
        model.say([TALK[0], Message("user", "word " * 500)])
        assert count_tokens(server.requests[0].last) <= 20
        assert model.counts.cut == 1
        model.close()


def test_an_endpoint_that_fails_is_nobodys_bad_reply() -> None:
    with ScriptedServer() as server:
        model = model_of(server)
        server.fail_next(ServerFault("error"))
        with pytest.raises(ProviderFault):
            model.say(TALK)
        server.fail_next(ServerFault("truncated"))
        with pytest.raises(ProviderFault):
            model.say(TALK)
        model.close()


def test_an_offer_holds_name_description_and_the_arguments_with_their_choices() -> None:
    function = offer(Store)["function"]
    assert function["parameters"]["properties"]["place"]["enum"] == ["here", "there"]
    assert function["parameters"]["required"] == ["place"]


WORDS = st.text(st.characters(blacklist_characters="<>", blacklist_categories=("Cs",)))


@given(st.lists(st.tuples(st.sampled_from(("think", "add_memory")), WORDS)), WORDS)
def test_what_was_written_between_tags_comes_back_in_order(
    pairs: list[tuple[str, str]], between: str
) -> None:
    text = between.join(f"<{tag}>{held}</{tag}>" for tag, held in pairs)
    assert tagged(text) == [Tagged(tag, held.strip()) for tag, held in pairs]


def test_a_tag_without_an_end_is_none_and_the_last_of_several_counts() -> None:
    found = tagged("<think>a <ADD_memory>b</add_memory> <answer>no")
    assert found == [Tagged("add_memory", "b")]
    assert last_of(tagged("<answer>a</answer><answer>b</answer>"), "answer") == "b"
    assert last_of(found, "answer") is None


@given(st.lists(st.text(min_size=1, max_size=30), max_size=12), st.integers(1, 5))
def test_no_turn_is_lost_in_runs_nor_where_neighbours_are_joined(lines: list[str], n: int) -> None:
    session = talk(0, *lines, day="2024-01-01T09:00")
    wanted = [turn.id for turn in session.turns]
    assert [source for part in runs(session, n) for source in part.sources] == wanted
    groups = joined(each_turn(session), 40 * n)
    assert [source for group in groups for part in group for source in part.sources] == wanted
    assert all(
        len(group) == 1 or sum(len(part.text) for part in group) <= 40 * n for group in groups
    )


def test_a_result_is_worked_out_once_for_a_question_and_again_after_a_change() -> None:
    worked: list[str] = []
    last = LastQuestion[str]()

    def work(query: Query) -> str:
        worked.append(query.text)
        return query.text.upper()

    assert [last.of(Query("a"), work), last.of(Query("a"), work)] == ["A", "A"]
    last.of(Query("b"), work)
    last.forget()
    last.of(Query("b"), work)
    assert worked == ["a", "b", "b"]
