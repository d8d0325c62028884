"""Flags that several commands have: one name, one type, one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path | None, typer.Option(help="File or folder of benchmark data.")]
Out = Annotated[Path, typer.Option(help="Folder of run directories.")]
K = Annotated[int | None, typer.Option(help="Memories per recall.", show_default="the task's own")]
TokenBudget = Annotated[int | None, typer.Option(help="Tokens of recalled text per question.")]
JudgeVotes = Annotated[
    int | None, typer.Option(help="Votes per judgement.", show_default="the task's own")
]
MemoryModel = Annotated[str, typer.Option(help="The system's own LLM.")]
ModelSet = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[ROLE.]KEY=VALUE", help="Model setting: timeout_s=30, judge.temperature=0."
    ),
]
BaseUrl = Annotated[str, typer.Option(help="OpenAI-compatible upstream.")]
Prompts = Annotated[str, typer.Option(help="Folder of the benchmark's own prompts.")]
Cassette = Annotated[Path | None, typer.Option(help="File of recorded model calls.")]
CassetteMode = Annotated[str, typer.Option(help="off, record or replay.")]
Concurrency = Annotated[int, typer.Option(help="Lanes: cases in flight.")]
ReadConcurrency = Annotated[int, typer.Option(help="Model answers in flight.")]
BudgetUsd = Annotated[float | None, typer.Option(help="Stop before spending more dollars.")]
BudgetTokens = Annotated[int | None, typer.Option(help="Stop before using more tokens.")]
