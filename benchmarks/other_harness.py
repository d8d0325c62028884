"""CPU seconds of a run through membench beside the same work as a task of inspect-ai.

The work is LoCoMo: BM25 over each conversation, ten memories for each of the 1,986 questions, an
answer that is always the same (`refuse`), its F1, and the share of evidence recalled. The task for
inspect-ai uses membench's loader, index and scores, so that what differs is the harness. inspect-ai
needs an environment of its own:

    python -m venv inspect && inspect/bin/pip install inspect-ai
    python benchmarks/other_harness.py --data FOLDER --python inspect/bin/python [--repeats 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

ANSWER = "No information available"
K = 10


def main() -> None:
    """Measure both in turns and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--python", type=Path, help="of an environment with inspect-ai")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--task", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        evaluate(given.data, given.task)
        return
    spent: dict[str, list[float]] = {"membench": [], "inspect-ai": []}
    with tempfile.TemporaryDirectory(prefix="membench-inspect-") as folder:
        for number in range(given.repeats):
            out = Path(folder) / str(number)
            out.mkdir()
            for name, command in commands(given.data, given.python, out).items():
                spent[name].append(cpu_seconds(command))
                print(f"{name:<12} {spent[name][-1]:.1f} CPU s", flush=True)
    ours, theirs = (statistics.median(seconds) for seconds in spent.values())
    print(f"inspect-ai over membench: {theirs / ours:.1f}")


def commands(data: Path, python: Path, out: Path) -> dict[str, list[str]]:
    """What is run, by name."""
    run = ["-m", "membench", "run", "--system=bm25", "--task=locomo", "--reader=refuse"]
    return {
        "membench": [sys.executable, *run, f"--data={data}", f"--out={out}", "--energy=none"],
        "inspect-ai": [str(python), __file__, "--data", str(data), "--task", str(out)],
    }


def cpu_seconds(command: list[str]) -> float:
    """CPU seconds of a command and its children; inspect-ai's environment sees membench, too."""
    here = str(Path(__file__).parents[1])
    libraries = sysconfig.get_paths()["purelib"]
    env = {**os.environ, "MEMBENCH_LIBRARIES": os.pathsep.join([here, libraries])}
    before = os.times()
    subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=sys.stderr, check=True)
    after = os.times()
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


# --- the task, in the environment of inspect-ai --------------------------------------------------


def evaluate(data: Path, logs: Path) -> None:
    """Run the task, and check that every question was answered and scored."""
    sys.path += os.environ["MEMBENCH_LIBRARIES"].split(os.pathsep)
    import inspect_ai
    from inspect_ai.dataset import MemoryDataset

    samples, systems = read_samples(data)
    task = inspect_ai.Task(MemoryDataset(samples), solver=recalling(systems), scorer=shares())
    (log,) = inspect_ai.eval(task, model="mockllm/model", log_dir=str(logs), display="none")
    assert log.status == "success" and log.results.completed_samples == len(samples)


def read_samples(data: Path) -> tuple[list[Any], dict[str, Any]]:
    """A sample for each question, and a system that has stored each conversation."""
    from inspect_ai.dataset import Sample

    from membench.adapters import registry
    from membench.domain.case import Ask, Ingest, opaque_ids
    from membench.domain.system import SystemContext
    from membench.harness.lanes.case_player import case_info
    from membench.tasks.find import find_source
    from membench.tasks.registry import get_task
    from membench.tokens import count_tokens

    task, card = get_task("locomo"), registry.get_card("bm25")
    context = SystemContext(registry.checked_parameters(card, {}), 0, data, count_tokens)
    samples, systems = [], {}
    for case, gold in task().cases(find_source(task, None, data), opaque_ids("locomo", 0)):
        system = systems[case.id] = registry.create(card, context)
        system.reset(case_info(case))
        for event, asked in enumerate(case.timeline):
            if isinstance(asked, Ingest):
                system.ingest(asked.session)
            elif isinstance(asked, Ask):
                question = gold.questions[event]
                facts = {"case": case.id, "evidence": list(question.evidence)}
                target, name = question.answer or "", question.question_id
                samples.append(
                    Sample(input=asked.question.text, target=target, id=name, metadata=facts)
                )
    return samples, systems


def recalling(systems: dict[str, Any]) -> Any:
    """A solver: recalls, and answers always the same."""
    from inspect_ai.model import ModelOutput
    from inspect_ai.solver import solver

    from membench.domain.system import Query

    @solver
    def recall() -> Any:
        async def solve(state: Any, generate: Any) -> Any:
            memories = systems[state.metadata["case"]].recall(
                Query(state.input_text, K, None, None)
            )
            state.metadata["recalled"] = [list(memory.sources) for memory in memories]
            state.output = ModelOutput.from_content("refuse", ANSWER)
            return state

        return solve

    return recall()


def shares() -> Any:
    """A scorer: F1 of the answer, and the share of evidence recalled."""
    from inspect_ai.scorer import Score, mean, scorer

    from membench.metrics.text import token_f1

    @scorer(metrics={"*": [mean()]})
    def share() -> Any:
        async def score(state: Any, target: Any) -> Any:
            evidence = set(state.metadata["evidence"])
            found = {turn for sources in state.metadata["recalled"] for turn in sources}
            recalled = len(evidence & found) / len(evidence) if evidence else 0.0
            f1 = token_f1(state.output.completion, target.text)
            return Score(value={"f1": f1, "recall": recalled}, answer=state.output.completion)

        return score

    return share()


if __name__ == "__main__":
    main()
