"""Central code knows no system, task or local model by name: their cards say what they are."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from membench.adapters.registry import list_systems
from membench.llm.upstreams.local.registry import local_models
from membench.tasks.registry import list_tasks

PACKAGE = Path(__file__).parents[1] / "membench"

WORDS = {"none", "random", "recent", "http", "mcp", "dense", "hybrid", "scripted", "light"}
"""Names of systems that are words of their own (`none`: no model; `http`: a URL)."""

NAMES = {*list_systems(), *list_tasks(), *local_models().models} - WORDS

ALLOWED = {
    "testing/boards.py": "a made-up board needs one real task",
    "testing/package_rules.py": "replies of a scripted model, written for one package each",
    "testing/native_rules.py": "replies of a scripted model, written for one system each",
    "adapters/environment/worker_folder.py": "names of environment variables that packages read",
    "cli/output/doctor.py": "names of distributions",
}
"""Files that may hold such names, and why."""

EXAMPLE = re.compile(r"--?[a-z-]+[ =][\w./:,-]+|`[^`]*`")
"""An option with its value in a message, a command in back quotes."""


def central_files() -> Iterator[Path]:
    """Every module outside the folders of the systems and tasks themselves."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).parts
        own = parts[:2] == ("adapters", "systems") or (parts[0] == "tasks" and len(parts) > 2)
        own = own or parts[:4] == ("llm", "upstreams", "local", "models")
        if str(path.relative_to(PACKAGE)) not in ALLOWED and (not own or "files" in parts):
            yield path


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """The strings of a module, without docstrings and other bare strings."""
    tree = ast.parse(path.read_text())
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node.lineno, node.value


def named_in(text: str) -> set[str]:
    """Names that a string holds as words, outside examples of commands."""
    return set(re.findall(r"[\w-]+", EXAMPLE.sub(" ", text))) & NAMES


FILES = {str(path.relative_to(PACKAGE)): path for path in central_files()}


@pytest.mark.parametrize("path", list(FILES.values()), ids=list(FILES))
def test_no_system_task_or_model_is_named_in_central_code(path: Path) -> None:
    found = {line: named for line, text in texts_of(path) if (named := named_in(text))}
    assert not found


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("full_context", {"full_context"}),
        ("oracle is granted the evidence", {"oracle"}),
        ("membench score --task locomo --predictions FILE", set()),
        ("no judge", set()),
        ("oracle_cloud", set()),
    ],
)
def test_a_name_is_found_where_it_stands_alone(text: str, named: set[str]) -> None:
    assert named_in(text) == named


# --- one name, one thing -------------------------------------------------------------------------

SCHEMAS = "leaderboard/bundles"
"""Its classes are named after those whose JSON they check."""

SHARED = {
    "Endpoint", "Engine", "Finding", "Flag", "Grain", "Profile", "Refusal", "Request", "Scores",
    "Sentence", "Summary", "Verdict",
}  # fmt: skip
"""Names of classes that two rooms use for things of their own; there should be no more of them."""


def classes_of(path: Path) -> Iterator[str]:
    """The classes of a module that others may use."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def test_no_further_name_is_that_of_two_classes() -> None:
    names = Counter(
        name
        for place, path in FILES.items()
        if not place.startswith(SCHEMAS)
        for name in classes_of(path)
    )
    assert {name for name, times in names.items() if times > 1} <= SHARED


def test_the_models_of_a_system_are_listed_in_one_place() -> None:
    listed = re.compile(r"Role\.MEMORY,\s*Role\.EMBEDDER,\s*Role\.RERANKER")
    assert [place for place, path in FILES.items() if listed.search(path.read_text())] == [
        "domain/labels.py"
    ]
