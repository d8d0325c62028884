"""`membench models`."""

from __future__ import annotations

from collections.abc import Sequence

from membench.cli.output.console import err
from membench.cli.output.listing import print_json, print_table
from membench.domain.labels import JsonObject
from membench.llm.upstreams.local.entry import LocalModel
from membench.llm.upstreams.local.registry import get_local, local_models


def print_models(*, as_json: bool) -> None:
    """Every local model with its roles, its licence and whether its weights are here."""
    known = local_models()
    if as_json:
        print_json({name: model_json(model) for name, model in known.models.items()})
        return
    rows = [
        (name, ", ".join(sorted(model.roles)), model.licence or "-", described(model))
        for name, model in known.models.items()
    ]
    rows += [
        (f"{prefix}:{family.argument}", "", "-", family.title)
        for prefix, family in known.families.items()
    ]
    print_table(("model", "roles", "licence", "what it is"), rows)


def described(model: LocalModel) -> str:
    """What a model is, the size of its file where that is here, and what runs it."""
    file = model.file()
    if file is None:
        return model.title
    runs = f" Runs on {model.engine}." if model.engine else ""
    return f"{model.title}. Here: {file.stat().st_size / 1e6:,.0f} MB.{runs}"


def model_json(model: LocalModel) -> JsonObject:
    """A model's entry as plain values."""
    return {
        "title": model.title,
        "roles": sorted(model.roles),
        "licence": model.licence,
        "dimensions": model.dimensions,
        "reader": model.reader if model.is_language_model else None,
        "here": model.file() is not None,
        "engine": model.engine or None,
    }


def install_all(names: Sequence[str]) -> None:
    """Install one after another.

    Raises:
        UserError: There is no such model, or it cannot be had.
    """
    for model in [get_local(name) for name in names]:
        model.install(lambda line: err().print(line, markup=False))
        err().print(f"{model.name}: ready, licence {model.licence or '-'}", markup=False)
