"""Write the tables of docs/profiles.md, from the profiles under results/profiles/.

Usage: python docs/make_profiles.py
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from membench.adapters.registry import get_card
from membench.domain.labels import Phase, Role, Scalar
from membench.experiments.estimate import RunEstimate, Setting, estimate
from membench.experiments.profile import Profile, read
from membench.experiments.profile_costs import (
    STORING,
    ModelCost,
    asked,
    asking_growth,
    costs_by_model,
    storing_growth,
)
from membench.experiments.task_size import TaskSize, size_of
from membench.experiments.traffic import ProfiledTraffic, profiled
from membench.harness.prepare import prepare
from membench.llm.config import ModelSpec
from membench.metrics.growth import Growth
from membench.records.manifest import Manifest
from membench.records.spec import ExecOptions, RunSpec

ROOT = Path(__file__).parents[1]
STORED = ROOT / "results" / "profiles"
PAGE = Path(__file__).with_name("profiles.md")
BEGIN, END = "<!-- profiles: made by `python docs/make_profiles.py` -->", "<!-- end of profiles -->"
BLOCK = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
MODELS = (
    "openai/gpt-5.4-mini-2026-03-17",
    "openai/gpt-4o-mini",
    "Qwen/Qwen3-8B",
    "openai/gpt-oss-20b",
)
CALLS = (
    "system",
    "LLM calls per turn",
    "LLM prompt tokens per turn",
    "embedded tokens per turn",
    "LLM calls per question",
    "LLM prompt tokens per question",
    "largest prompt",
)
LOCOMO = TaskSize(cases=10, sessions=272, turns=5882, history_tokens=199_223, recalls=1986)
"""LoCoMo's ten conversations, as `membench plan` counts them."""
WHOLE = (
    "system",
    "LLM calls",
    "tokens in",
    "tokens out",
    "embedded tokens",
    "USD",
)
MEASURED = (
    "system",
    "model",
    "histories",
    "calls, predicted",
    "measured",
    "tokens in, predicted",
    "measured",
    "tokens out, predicted",
    "measured",
)
MACHINE = (
    "system",
    "version",
    "CPU ms per turn",
    "CPU ms per question",
    "store bytes per turn",
    "peak RSS MB",
    "start s",
    "environment MB",
    "install s",
)


def page() -> str:
    """The page with its tables as the stored profiles have them now."""
    written = f"{BEGIN}\n\n{chr(10).join(tables())}\n{END}"
    return BLOCK.sub(lambda _: written, PAGE.read_text())


def tables() -> Iterator[str]:
    """Calls and tokens, the machine, dollars, joules."""
    profiles = [read(path) for path in sorted(STORED.glob("*.json"))]
    yield from table(CALLS, (calls(made) for made in profiles))
    apart = [made for made in profiles if made.lengths[-1].peak_rss_bytes]
    yield "**The machine** (two shared cores; packages, which run in processes of their own)\n"
    yield from table(MACHINE, (machine(made) for made in apart))
    asking = [made for made in profiles if asked(made.lengths[-1], Role.MEMORY, *Phase).calls]
    costs = {made.system: costs_by_model(made, MODELS) for made in asking}
    yield "**LoCoMo, estimated**: all ten conversations stored and all 1,986 questions recalled,"
    yield f"with {MODELS[0]}; the embedder's dollars are not in it\n"
    yield from table(WHOLE, (whole(made) for made in sorted(asking, key=locomo_usd)))
    yield "**Predicted and measured**: what `plan` takes from a profile for `synthetic`,"
    yield "and what the system then asked of a model that runs here (in that model's own tokens)\n"
    yield from table(MEASURED, measured_rows())
    yield "**Dollars, estimated**: of 1,000 turns stored / 1,000 questions recalled\n"
    yield from table(("system", *MODELS[:2]), priced(costs, usd))
    yield "**Joules, estimated**: of 1,000 turns stored, central value and range\n"
    yield from table(("system", *MODELS[2:]), priced(costs, joules))


def table(head: tuple[str, ...], rows: Iterator[list[str]]) -> Iterator[str]:
    """Lines of one table and an empty one."""
    yield f"| {' | '.join(head)} |"
    yield "|---|" + "--:|" * (len(head) - 1)
    for cells in rows:
        yield f"| {' | '.join(cells)} |"
    yield ""


def calls(made: Profile) -> list[str]:
    """What models are asked at the longest history, and how that grows."""
    cells = [made.system]
    cells += [storing(made, Role.MEMORY, figure) for figure in ("calls", "prompt_tokens")]
    cells.append(storing(made, Role.EMBEDDER, "embedding_tokens"))
    for figure in ("calls", "prompt_tokens"):
        cells.append(grown(asking_growth(made, Role.MEMORY, figure)))
    largest = made.lengths[-1].largest_prompt_tokens
    return [*cells, f"{largest:,}" if largest else "–"]


def storing(made: Profile, role: Role, figure: str) -> str:
    """The growth of one figure per turn."""
    return grown(storing_growth(made, role, figure))


def grown(growth: Growth) -> str:
    """`1,234 linear (3 %)`: the next one at the longest history, the kind, the fit's error."""
    if growth.kind == "none":
        return "0"
    digits = 0 if growth.marginal >= 100 else 2
    return f"{growth.marginal:,.{digits}f} {growth.kind} ({100 * growth.error:.1f} %)"


def machine(made: Profile) -> list[str]:
    """Seconds and sizes at the longest history."""
    longest = made.lengths[-1]
    stored = sum(longest.phases[phase].cpu_s for phase in STORING if phase in longest.phases)
    recalled = longest.phases[Phase.RECALL].cpu_s
    size = "–" if longest.store_bytes is None else f"{longest.store_bytes / longest.turns:,.0f}"
    environment = made.environment_bytes
    return [
        made.system,
        made.version,
        f"{1000 * stored / longest.turns:,.1f}",
        f"{1000 * recalled / longest.questions:,.1f}",
        size,
        f"{longest.peak_rss_bytes / 1e6:,.0f}",
        f"{longest.start_s:,.1f}",
        "–" if environment is None else f"{environment / 1e6:,.0f}",
        "–" if made.install_s is None else f"{made.install_s:,.0f}",
    ]


def whole(made: Profile) -> list[str]:
    """What LoCoMo would ask of the models of a system."""
    plan = locomo_plan(made)
    asked = [row for row in plan.rows if row.role == Role.MEMORY]
    sums = (
        sum(row.calls for row in asked),
        sum(row.prompt_tokens for row in asked),
        sum(row.completion_tokens for row in asked),
        sum(row.embedding_tokens for row in plan.rows),
    )
    return [made.system, *(f"{number:,}" for number in sums), f"{locomo_usd(made):,.2f}"]


def measured_rows() -> Iterator[list[str]]:
    """Published rows on `synthetic` whose system asked a model of its own and has a profile."""
    for folder in sorted((ROOT / "results" / "synthetic").iterdir()):
        manifest = Manifest.from_json(json.loads((folder / "manifest.json").read_bytes()))
        spec, system = manifest.spec, manifest.system
        usage = json.loads((folder / "summary.json").read_bytes())["usage"]
        asked = [phase["roles"].get(Role.MEMORY, {}) for phase in usage.values()]
        if not any(role.get("calls") for role in asked):
            continue
        traffic = profiled(get_card(system.name), dict(system.parameters))
        if traffic is None:
            continue
        options = tuple(sorted(spec.task_set.items()))
        size = synthetic_size(spec.limit, options)
        predicted = traffic.storing(size, Role.MEMORY)
        recalls = traffic.asking(size, Role.MEMORY, 0.0)
        told = "".join(f", {name}={value}" for name, value in options)
        cells = [system.name, spec.memory_model, f"{size.cases}{told}"]
        for figure in ("calls", "prompt_tokens", "completion_tokens"):
            cells.append(f"{getattr(predicted, figure) + getattr(recalls, figure):,.0f}")
            cells.append(f"{sum(role.get(figure, 0) for role in asked):,}")
        yield cells


@cache
def synthetic_size(limit: int | None, options: tuple[tuple[str, Scalar], ...]) -> TaskSize:
    """The first histories of `synthetic` under some of its options, counted."""
    spec = RunSpec("none", "synthetic", split="mini", limit=limit, task_set=dict(options))
    prepared = prepare(spec, ExecOptions())
    return size_of(prepared.task, prepared.cases())


def locomo_usd(made: Profile) -> float:
    """Dollars of the language model."""
    return sum(row.usd or 0.0 for row in locomo_plan(made).rows if row.role == Role.MEMORY)


def locomo_plan(made: Profile) -> RunEstimate:
    """As `membench plan --system NAME --task locomo` has it, without reader and judge."""
    models = {Role.MEMORY: ModelSpec(MODELS[0]), Role.EMBEDDER: ModelSpec("embedder")}
    return estimate(LOCOMO, Setting(models, k=10, traffic=ProfiledTraffic(made)))


def priced(
    costs: dict[str, list[ModelCost]], cell: Callable[[ModelCost], str]
) -> Iterator[list[str]]:
    """A row per system that calls a language model."""
    for system, by_model in costs.items():
        found = [cell(cost) for cost in by_model]
        yield [system, *(text for text in found if text)]


def usd(cost: ModelCost) -> str:
    """Dollars where the price map has a price and the model no coefficients."""
    if cost.usd is None or cost.model not in MODELS[:2]:
        return ""
    return f"{cost.usd[0]:,.2f} / {cost.usd[1]:,.2f}"


def joules(cost: ModelCost) -> str:
    """Joules of storing, for the models with coefficients."""
    if cost.joules is None or cost.model not in MODELS[2:]:
        return ""
    stored = cost.joules[0]
    return f"{stored.mid:,.0f} ({stored.low:,.0f} to {stored.high:,.0f})"


if __name__ == "__main__":
    PAGE.write_text(page())
