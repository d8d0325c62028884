"""Which requests have examples, and what a server is asked so that it computes them once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from membench.domain.errors import ProviderFault
from membench.llm import openai_protocol
from membench.llm.upstreams.base import Reply
from membench.llm.upstreams.local.llama.examples import ExampleState, request_of_examples

EXAMPLE = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "Where is Ada?"},
    {"role": "assistant", "content": "Lisbon"},
]


def request(*turns: dict[str, str], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [*turns], "max_tokens": 32, "temperature": 0, **fields}


def question(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


class Recorded:
    """Stands for a connection: keeps what is sent, and refuses what it is told to."""

    def __init__(self, refused: str = "") -> None:
        self.sent: list[tuple[str, Any]] = []
        self.refused = refused

    async def send(self, endpoint: str, body: openai_protocol.Body) -> Reply:
        self.sent.append((endpoint, body))
        said = endpoint if endpoint != openai_protocol.CHAT else str(body.get("max_tokens"))
        return Reply(b"no", status=400 if said == self.refused else 200)


def sent(*bodies: dict[str, Any], refused: str = "") -> list[tuple[str, Any]]:
    """What reaches the server, and its control, for requests one after the other."""
    connection: Any = Recorded(refused)

    async def send_all() -> None:
        state = ExampleState(connection, connection, "7")
        for body in bodies:
            await state.send(openai_protocol.CHAT, body)

    asyncio.run(send_all())
    return list(connection.sent)


def test_examples_are_the_turns_before_the_question() -> None:
    body = request(*EXAMPLE, question("Where is Bo?"), stop=["\n"], stream=True)
    assert request_of_examples(body) == request(*EXAMPLE, stop=["\n"]) | {"max_tokens": 1}


@pytest.mark.parametrize(
    "body",
    [
        request(question("Where?")),
        request(EXAMPLE[0], question("Where?")),
        {"model": "m", "input": "Where?"},
        {"model": "m", "messages": "Where?"},
        {"model": "m", "messages": ["Where?", "There."]},
    ],
)
def test_a_request_without_an_answer_before_its_question_has_none(body: dict[str, Any]) -> None:
    assert request_of_examples(body) is None
    assert sent(body) == [(openai_protocol.CHAT, body)]


def test_the_same_examples_are_computed_once_and_put_back_before_each_request() -> None:
    bodies = [request(*EXAMPLE, question(text)) for text in ("Where is Bo?", "Who is Bo?")]
    computed, save, *rest = sent(*bodies)
    assert computed == (openai_protocol.CHAT, request_of_examples(bodies[0]))
    assert save == ("slots/0?action=save", {"filename": "7"})
    restore = ("slots/0?action=restore", {"filename": "7"})
    asked = [(openai_protocol.CHAT, {**body, "cache_prompt": True}) for body in bodies]
    assert rest == [restore, asked[0], restore, asked[1]]


def test_other_examples_take_the_place_of_the_first() -> None:
    other = [*EXAMPLE[:2], {"role": "assistant", "content": "Porto"}]
    first, second = (request(*turns, question("Who?")) for turns in (EXAMPLE, other))
    saves = [call for call in sent(first, second, first) if "save" in call[0]]
    assert len(saves) == 3


def test_examples_that_do_not_fit_leave_the_request_to_be_refused_for_what_it_is() -> None:
    body = request(*EXAMPLE, question("Who?"))
    assert sent(body, refused="1")[1:] == [(openai_protocol.CHAT, body)]


def test_a_server_that_keeps_no_states_is_a_fault_and_not_another_answer() -> None:
    body = request(*EXAMPLE, question("Who?"))
    with pytest.raises(ProviderFault, match="cannot save the state of a slot: no"):
        sent(body, refused="slots/0?action=save")
