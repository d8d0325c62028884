import subprocess
import sys

import pytest

from membench.domain.errors import UnknownName, UsageError
from membench.tasks import registry
from membench.tasks.base import Task, as_option
from membench.tasks.card import TaskCard


def test_a_folder_with_a_task_file_is_a_task():
    assert {"locomo"} <= registry.list_tasks().keys()
    assert all(isinstance(card, TaskCard) for card in registry.list_tasks().values())


def test_a_task_is_listed_under_the_name_on_its_card():
    assert all(name == card.name for name, card in registry.list_tasks().items())


def test_a_folder_without_a_task_file_is_none(tmp_path):
    (tmp_path / "half").mkdir()
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "task.py").touch()
    assert registry.folder_names(tmp_path) == ["whole"]


def test_an_unknown_task_gets_the_nearest_name():
    with pytest.raises(UnknownName, match="Did you mean 'locomo'"):
        registry.get_task("locmo")


class Entry:
    """An installed entry point."""

    def __init__(self, found):
        self.name = "elsewhere"
        self.found = found

    def load(self):
        return self.found


def test_an_entry_point_is_a_task(monkeypatch):
    class Elsewhere(Task):
        card = registry.get_task("locomo").card

    monkeypatch.setattr(registry, "entry_points", lambda group: [Entry(Elsewhere)])
    assert registry.get_task("elsewhere") is Elsewhere


def test_an_entry_point_that_is_no_task_is_refused(monkeypatch):
    monkeypatch.setattr(registry, "entry_points", lambda group: [Entry(42)])
    with pytest.raises(UsageError, match="no Task subclass"):
        registry.get_task("elsewhere")


def test_listing_tasks_imports_nothing_heavy():
    code = (
        "import sys; from membench.tasks.registry import list_tasks; list_tasks();"
        "print([m for m in ('numpy', 'scipy', 'nltk', 'pydantic', 'ijson') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("value", "default", "taken"),
    [
        ("0.50", 0.25, 0.5),
        (1, 0.25, 1.0),
        ("7", 3, 7),
        (1.5, 3, 1.5),
        ("x", 3, "x"),
        ("7", "a", "7"),
    ],
)
def test_an_option_is_taken_in_the_type_of_its_default_where_nothing_is_lost(
    value: object, default: object, taken: object
) -> None:
    found = as_option(value, default)  # type: ignore[arg-type]
    assert (found, type(found)) == (taken, type(taken))
