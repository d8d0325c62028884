"""Evaluation logs of inspect-ai, which know no benchmark: any task takes them.

A log is one JSON object (`inspect log dump FILE.eval` makes it of the binary form) with a list
`samples`; a sample has `id`, `epoch`, `input` (text or messages), `output`, and `scores` by scorer.
Source: `EvalLog` of inspect-ai. A sample belongs to the question of its id, else to the case of
its id where that has one question, else to the question whose words stand in its input. Epochs
are generations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from membench.domain.labels import JsonView
from membench.tasks.external_format import ConvertedLine, PredictionFormat, QuestionIndex

GRADES = {"C": True, "I": False}
"""What inspect-ai writes for correct and incorrect."""


def is_log(document: Any) -> bool:
    """An object with what was evaluated and the samples."""
    return (
        isinstance(document, dict)
        and isinstance(document.get("eval"), dict)
        and isinstance(document.get("samples"), list)
        and bool(document["samples"])
    )


def from_log(document: Any, index: QuestionIndex) -> Iterator[ConvertedLine]:
    """The completions of each question by epoch, with the verdicts of the one scorer."""
    by_question: dict[str, list[Any]] = {}
    for sample in document["samples"]:
        by_question.setdefault(question_of(sample, index), []).append(sample)
    for question, samples in by_question.items():
        samples.sort(key=lambda sample: sample.get("epoch", 1))
        line = {"question_id": question, "predictions": [completion(each) for each in samples]}
        yield ConvertedLine(f"sample {samples[0]['id']}", line, [verdict(each) for each in samples])


def question_of(sample: Any, index: QuestionIndex) -> str:
    """The question that a sample asks.

    Raises:
        ValueError: The data has none such.
    """
    name = str(sample["id"])
    if name in index.ids:
        return name
    if index.has_case(name) and len(index.ids_in(name)) == 1:
        return index.ids_in(name)[0]
    return index.asked_in(words_of(sample["input"]))


def words_of(given: Any) -> str:
    """The words of an input: a text, or the last message of the user."""
    if isinstance(given, str):
        return given
    said = [message["content"] for message in given if message.get("role") == "user"]
    return text_of(said[-1]) if said else ""


def text_of(content: Any) -> str:
    """Text of a message, whose content may be a list of parts."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content if part.get("type") == "text")


def completion(sample: Any) -> str | None:
    """What the model said; None where the sample ended in an error or nothing was said."""
    choices = sample.get("output", {}).get("choices") or []
    if sample.get("error") or not choices:
        return None
    return text_of(choices[0]["message"]["content"]) or None


def verdict(sample: Any) -> JsonView:
    """Fields of the scorer's verdict; empty without scores.

    Raises:
        ValueError: There are several scorers.
    """
    scores = sample.get("scores") or {}
    if len(scores) > 1:
        raise ValueError(f"several scorers ({', '.join(sorted(scores))}): keep one in the log")
    for score in scores.values():
        value = score.get("value")
        label = GRADES.get(value, value) if isinstance(value, str) else value
        return {"label": label, "reasoning": score.get("explanation") or ""}
    return {}


FORMAT = PredictionFormat("inspect", "a log of inspect-ai as JSON", is_log, from_log)
