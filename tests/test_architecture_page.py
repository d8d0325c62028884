"""The tour of the code, and the pages beside it: every file and name in them exists."""

import ast
import importlib
import re
from pathlib import Path

import pytest
from test_architecture import FLOORS

ROOT = Path(__file__).parents[1]
PAGES = ["docs/architecture.md", "CONTRIBUTING.md", "README.md"]
PATH = re.compile(r"`((?:membench|tests|docs|benchmarks)/[\w./-]*)`(?: \(((?:`\w+`(?:, )?)+)\))?")
TOUR = PATH.findall((ROOT / "docs/architecture.md").read_text())


def names_in(file: Path) -> set[str]:
    """Functions, methods, classes and constants that a module defines."""
    tree = ast.parse(file.read_text())
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = {node.name for node in ast.walk(tree) if isinstance(node, defined)}
    return names | {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


@pytest.mark.parametrize("page", PAGES)
def test_paths_that_a_page_names_exist(page):
    text = (ROOT / page).read_text()
    missing = [path for path, _ in PATH.findall(text) if not (ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize(("path", "names"), [pair for pair in TOUR if pair[1]])
def test_what_the_tour_points_at_is_in_the_file(path, names):
    assert set(re.findall(r"\w+", names)) <= names_in(ROOT / path)


def test_the_tour_leads_through_every_room():
    """A room that nobody is led to would be found by chance."""
    visited = {path.split("/")[1] for path, _ in TOUR if path.startswith("membench/")}
    rooms = {folder.name for folder in (ROOT / "membench").iterdir() if folder.is_dir()}
    assert rooms - visited <= {"__pycache__"}


def test_the_picture_of_the_floors_is_the_one_that_is_tested():
    picture = (ROOT / "CONTRIBUTING.md").read_text()
    lines = re.findall(r"^ ?(\d+)  (\w+)(?: {2,}(\w+)(?= {3,}))?", picture, re.MULTILINE)
    drawn = {room: int(floor) for floor, *rooms in lines for room in rooms if room}
    assert drawn == FLOORS


def test_the_map_of_the_readme_has_every_room():
    names = re.findall(r"^  (\w+)/ ", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(names) == sorted(FLOORS)
    assert [FLOORS[name] for name in names] == sorted(FLOORS.values())


MOVES = re.findall(
    r"^\| (.*) \| (`membench\..*`) \|$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
)


@pytest.mark.parametrize(("before", "now"), MOVES)
def test_the_new_paths_of_the_changelog_can_be_imported(before, now):
    modules = [importlib.import_module(name) for name in re.findall(r"[\w.]+", now)]
    names = re.findall(r"`(\w+)`", before.partition(":")[2])
    assert all(any(hasattr(module, name) for module in modules) for name in names if name != "Span")


def test_the_changelog_says_where_what_authors_import_has_gone():
    assert len(MOVES) > 10


def test_tests_mirror_the_rooms():
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} <= set(FLOORS)
