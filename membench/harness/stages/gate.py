"""The reader gate in a run: asked before the questions of the run, summed up at its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from membench.domain.case import Turn
from membench.domain.clock import Clock
from membench.domain.labels import JsonObject, Role
from membench.harness.prepare import ResolvedRun
from membench.harness.run_models import reader_of
from membench.llm.config import ModelSpec
from membench.readers.base import LocalReader
from membench.readers.gate import (
    ARMS,
    CASE,
    Arm,
    gate_questions,
    gate_result,
    gate_sha256,
    recorded_answers,
)
from membench.readers.llm.reader import LlmAnswer, ModelReader, ReadRequest
from membench.readers.registry import choose_reader, local_reader
from membench.records.journal import Appender, read_lines, terminate_torn_line
from membench.records.run_directory import RunDir
from membench.records.shape import is_gate_answer
from membench.records.telemetry import Telemetry
from membench.records.usage import PhaseUsage

if TYPE_CHECKING:
    from membench.llm.gateway import Gateway

Answers = dict[tuple[int, Arm], str]


def is_wanted(prepared: ResolvedRun, reader: ModelSpec | None) -> bool:
    """Whether a run asks the gate.

    `auto` asks readers that cost nothing: those without a model, and models that run here.
    """
    kind = choose_reader(prepared.spec.reader).card.kind
    if kind in ("system", "none") or prepared.card.whole_replies:
        return False
    if prepared.options.reader_gate != "auto":
        return prepared.options.reader_gate == "on"
    local = reader.local if reader is not None else None
    return reader is None or (local is not None and not local.scripted)


def ask_gate(prepared: ResolvedRun, run: RunDir, clock: Clock, gateway: Gateway | None) -> None:
    """Ask what is not answered yet; what cannot be answered stays open and stops nothing.

    Raises:
        Stopped: The budget is spent.
    """
    model = gateway.roles.get(Role.READER) if gateway is not None else None
    if not is_wanted(prepared, model):
        return
    terminate_torn_line(run.gate)
    answered = recorded(run)
    missing = [
        (number, arm)
        for number in range(len(gate_questions()))
        for arm in ARMS
        if (number, arm) not in answered
    ]
    if not missing:
        return
    lines = Appender(run.gate)
    try:
        if model is None or gateway is None:
            _ask_local(local_reader(prepared.spec.reader), missing, lines)
        else:
            reader, concurrency = reader_of(prepared, clock, gateway)
            gateway.run(_ask_model(reader, missing, lines, concurrency))
    finally:
        lines.close()


def _ask_local(reader: LocalReader | None, missing: list[tuple[int, Arm]], lines: Appender) -> None:
    assert reader is not None
    for number, arm in missing:
        question = gate_questions()[number]
        turns: dict[str, Turn] = {turn.id: turn for turn in question.turns}
        answer = reader.answer(question.given(arm), turns)
        lines.append(_line(number, arm, answer.text, Telemetry()))


async def _ask_model(
    reader: ModelReader, missing: list[tuple[int, Arm]], lines: Appender, concurrency: int
) -> None:
    async for answer in reader.answer_all(_requests(missing), concurrency):
        number, arm = divmod(answer.asked.event, len(ARMS))
        lines.append(_line(number, ARMS[arm], answer.text, _telemetry(answer)))


def _requests(missing: list[tuple[int, Arm]]) -> Iterator[ReadRequest]:
    for number, arm in missing:
        event = number * len(ARMS) + ARMS.index(arm)
        yield ReadRequest(CASE, event, 0, gate_questions()[number].given(arm))


def _line(number: int, arm: Arm, text: str | None, telemetry: Telemetry) -> JsonObject:
    return {
        "set_sha256": gate_sha256(),
        "question": number,
        "arm": arm,
        "answer": text,
        "telemetry": telemetry.to_json(),
    }


def _telemetry(answer: LlmAnswer) -> Telemetry:
    return Telemetry(
        start=answer.start,
        end=answer.end,
        usage=PhaseUsage.of({Role.READER: answer.usage}),
        error=answer.detail or None,
    )


def recorded(run: RunDir) -> Answers:
    """The answers to the set as it is now."""
    return recorded_answers(line for line in read_lines(run.gate) if is_gate_answer(line))


def gate_entry(run: RunDir) -> JsonObject | None:
    """For the summary; None where the gate was not asked."""
    return gate_result(recorded(run)).to_json() if run.gate.is_file() else None
