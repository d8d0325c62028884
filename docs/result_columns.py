"""Columns of the tables of results: a cell each of a run's summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from membench.metrics.numbers import significant

Column = Callable[[dict[str, Any]], str]
"""A cell of a run's summary."""


def context_tokens(summary: dict[str, Any]) -> str:
    """Tokens of recalled text, on average; a dash where nothing of it can be seen."""
    mean = summary["context_tokens"]["mean"]
    return "–" if mean is None else f"{mean:,.0f}"


def question_cpu(summary: dict[str, Any]) -> str:
    """CPU milliseconds of recall and answer per question."""
    seconds = [summary["cpu_s"][phase] for phase in ("recall", "answer")]
    return (
        "–" if None in seconds else f"{1000 * sum(seconds) / summary['counts']['questions']:,.1f}"
    )


def question_joules(summary: dict[str, Any]) -> str:
    """Modelled joules of recall and answer per question; a dash where there are none."""
    phases = summary["energy"]["phases"]
    parts = [phases.get(phase, {}).get("joules") for phase in ("recall", "answer")]
    return "–" if None in parts else significant(sum(parts) / summary["counts"]["questions"], 2)


def reader(summary: dict[str, Any]) -> str:
    """Who answered from what was recalled."""
    return str(summary["comparison_key"]["reader"])


def memory_usage(summary: dict[str, Any], name: str) -> int:
    """A count of the calls to the memory model, over all phases."""
    return sum(
        phase["roles"].get("memory", {}).get(name) or 0 for phase in summary["usage"].values()
    )


def memory_calls(summary: dict[str, Any]) -> str:
    """Calls to the memory model."""
    return f"{memory_usage(summary, 'calls'):,}"


def useless_replies(summary: dict[str, Any]) -> str:
    """Replies that the system could not use, of those that it asked for.

    Where a system does not say, those that the gateway saw to be cut off, empty or without the
    JSON that was asked for.
    """
    if (replies := summary.get("replies")) is None:
        seen = sum(memory_usage(summary, kind) for kind in ("cut", "empty", "unparsable"))
        calls = memory_usage(summary, "calls")
        return f"{seen} of {calls:,}" if calls else "–"
    asked, unusable = replies.get("asked", 0), replies.get("unusable", 0)
    return f"{unusable} of {asked:,}" if asked else "–"


def histories(summary: dict[str, Any]) -> str:
    """How many histories were played."""
    return str(summary["counts"]["cases"])


def memory_cpu(summary: dict[str, Any]) -> str:
    """CPU seconds of the memory model per history; a dash where there is none."""
    if not memory_usage(summary, "calls"):
        return "–"
    seconds = sum(
        phase["roles"].get("memory", {}).get("cpu_s") or 0.0 for phase in summary["usage"].values()
    )
    return f"{seconds / summary['counts']['cases']:,.1f}"


def memory_gate(summary: dict[str, Any]) -> str:
    """Evidence recall less that of raw turns; a dash in runs from before there was a gate."""
    gate = summary.get("memory_gate")
    if gate is None:
        return "–"
    if gate["ci95"] is None:
        return "not determined"
    low, high = gate["ci95"]
    return f"{gate['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"


PER_QUESTION: Mapping[str, Column] = {
    "context tokens": context_tokens,
    "CPU ms/question": question_cpu,
    "J/question": question_joules,
}
OF_MEMORY_MODEL: Mapping[str, Column] = {
    "calls": memory_calls,
    "replies of no use": useless_replies,
    "against raw turns": memory_gate,
    "CPU s/history": memory_cpu,
}
