"""Systems and tasks under development: given by a path, found again where the run was made.

The manifest of such a run says `./folder` and no more, so that it names no place of the machine;
where the folder lies is in the run's `places.json`, which is never published.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from membench.adapters.registry import SystemCard
from membench.domain.labels import JsonObject
from membench.records.run_directory import RunDir
from membench.records.spec import RunSpec
from membench.tasks import registry as tasks
from membench.tasks.base import AnyTask

GIVEN_BY_PATH = ("system", "task")
"""Fields of a spec that may name a folder of this machine."""


def open_run(path: Path) -> RunDir:
    """Open the directory of a run with all that it recorded.

    Raises:
        RunStateError: It is not a run, or of a newer schema, or a bundle.
        DataError: The folder of its task is gone or broken.
    """
    run = open_run_or_bundle(path)
    run.refuse_bundle()
    return run


def open_run_or_bundle(path: Path) -> RunDir:
    """Open a run for its manifest and summary, which bundles have too.

    The name of its task then leads to the folder it was made with.

    Raises:
        RunStateError: It is not a run, or of a newer schema.
        DataError: The folder of its task is gone or broken.
    """
    run = RunDir.open(path)
    if folder := run.places().get("task"):
        tasks.from_folder(Path(folder))
    return run


def stored_spec(run: RunDir) -> RunSpec:
    """The spec of a run, with the folders it needs on this machine."""
    places = run.places()
    folders: JsonObject = {name: places[name] for name in GIVEN_BY_PATH if name in places}
    return replace(run.manifest().spec, **folders)


def places_of(system: SystemCard, task: type[AnyTask]) -> dict[str, str]:
    """Where what was given by a path lies."""
    folders = {
        "system": None if system.package else system.folder,
        "task": tasks.folder_of(task),
    }
    return {name: str(folder) for name, folder in folders.items() if folder is not None}


def without_places(spec: RunSpec, places: dict[str, str]) -> RunSpec:
    """The spec as a manifest may show it: a folder by its own name alone."""
    names: JsonObject = {name: f"./{Path(place).name}" for name, place in places.items()}
    return replace(spec, **names)
