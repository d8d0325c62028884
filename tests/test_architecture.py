"""Dependencies point one way, and heavy libraries are imported only where they are needed."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "membench"

FLOORS = {
    "domain": 1,
    "tokens": 1,
    "adapters": 2,
    "metrics": 2,
    "tasks": 3,
    "records": 3,
    "llm": 4,
    "energy": 4,
    "readers": 5,
    "judging": 5,
    "harness": 6,
    "experiments": 7,
    "leaderboard": 8,
    "testing": 9,
    "cli": 10,
}
"""The rooms and the floor each lies on; a room imports only from floors below its own."""

WALLS = [("tasks", "adapters"), ("adapters", "metrics"), ("records", "adapters")]
"""Rooms that may not import another although it lies below."""

SANDBOXED = {"labels", "case", "system", "answer"}
"""Modules of `domain` that the far side of a worker may import; the rest stays on ours."""

MODELS = {"litellm", "torch", "sentence_transformers", "ray", "zeus", "codecarbon", "pynvml"}
BOARDS = {"cryptography", "streamlit", "plotly", "pandas", "pyarrow", "datasets"}
SERVERS = {"httpx", "starlette", "uvicorn"}
NUMBERS = {"numpy", "scipy", "nltk", "tiktoken", "bm25s", "pydantic", "yaml"}


def imports_of(path: Path) -> set[str]:
    """Modules of ours that a file imports anywhere in it, in functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "membench":
            found |= {f"membench.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name for name in found if name.startswith("membench.")}


def rooms_imported_by(room: str) -> dict[str, list[str]]:
    """Other rooms that a room imports, each with the places where it does."""
    found: dict[str, list[str]] = {}
    for path in sorted((PACKAGE / room).rglob("*.py")):
        for name in sorted(imports_of(path)):
            other = name.split(".")[1]
            if other != room and other in FLOORS:
                found.setdefault(other, []).append(f"{path.relative_to(ROOT)} imports {name}")
    return found


def test_every_folder_of_the_package_is_a_room_on_a_floor():
    assert {folder.name for folder in folders(PACKAGE)} == set(FLOORS)


@pytest.mark.parametrize("room", FLOORS)
def test_a_room_imports_only_from_floors_below(room):
    wrong = [
        place
        for other, places in rooms_imported_by(room).items()
        if FLOORS[other] >= FLOORS[room]
        for place in places
    ]
    assert wrong == []


@pytest.mark.parametrize(("room", "other"), WALLS)
def test_walls_between_rooms_hold(room, other):
    assert rooms_imported_by(room).get(other, []) == []


def test_the_far_side_of_a_worker_needs_what_is_copied_to_it_and_nothing_else():
    here = "membench.adapters.environment.worker"
    needed = {
        name
        for path in (PACKAGE / "adapters/environment/worker").rglob("*.py")
        for name in imports_of(path)
        if name != here and not name.startswith(f"{here}.")
    }
    assert needed <= {f"membench.domain.{name}" for name in SANDBOXED}
    for name in SANDBOXED:
        inner = imports_of(PACKAGE / "domain" / f"{name}.py")
        assert inner <= {f"membench.domain.{other}" for other in SANDBOXED}


def folders(path: Path) -> list[Path]:
    """Folders of modules inside a folder."""
    return [child for child in path.iterdir() if (child / "__init__.py").is_file()]


def test_no_circle_between_rooms_or_between_the_folders_of_a_room():
    for room in FLOORS:
        names = {folder.name for folder in folders(PACKAGE / room)}
        uses = {
            name: {
                imported.split(".")[2]
                for path in (PACKAGE / room / name).rglob("*.py")
                for imported in imports_of(path)
                if imported.startswith(f"membench.{room}.")
            }
            & names - {name}
            for name in names
        }
        assert list(TopologicalSorter(uses).static_order()) is not None


def modules_after(statement: str) -> set[str]:
    """Top-level modules loaded by a statement in a fresh interpreter."""
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_help_loads_no_heavy_library():
    heavy = MODELS | BOARDS | SERVERS | NUMBERS
    assert modules_after("import membench.cli") & heavy == set()


CLIENTS = {"aiohttp", "aiolimiter", "openai", "mcp", "uv", "json_repair"}
OPTIONAL = MODELS | BOARDS | SERVERS | CLIENTS


HIDING = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {modules}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
sys.argv = {arguments}
from membench.cli import main
main()
"""


def membench_without_extras(*arguments: str) -> subprocess.CompletedProcess:
    """Run a command where no optional library can be found, as after `pip install -e .`."""
    code = HIDING.format(modules=sorted(OPTIONAL), arguments=["membench", *arguments])
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.slow
def test_the_main_job_needs_none_of_the_extras(tmp_path):
    sample = ("--system=bm25", "--task=locomo", "--split=sample", f"--out={tmp_path}")
    done = membench_without_extras("run", *sample)
    assert done.returncode == 0, done.stderr
    assert "recall@10" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", ["systems", "tasks", "doctor"])
def test_what_there_is_can_be_listed_without_the_extras(command):
    done = membench_without_extras(command)
    assert done.returncode == 0, done.stderr


def test_a_lane_loads_no_library_of_models_or_boards():
    statement = "import membench.harness.lanes.play_lane, membench.harness.lanes.local"
    assert modules_after(statement) & (MODELS | BOARDS | SERVERS) == set()


def test_listing_systems_imports_no_system():
    loaded = modules_after("from membench.adapters.registry import list_systems; list_systems()")
    assert loaded & {"rank_bm25", "bm25s", "nltk", "httpx"} == set()


MOST_ANY = 5.5
"""Mentions of `Any` per 1,000 lines: a value with a type of ours, or JSON, is never `Any`."""


def test_any_does_not_come_back():
    """Counted as `grep -rnow Any --include=*.py membench` does, imports and docstrings included."""
    texts = [path.read_text() for path in PACKAGE.rglob("*.py")]
    lines = sum(len(text.splitlines()) for text in texts)
    mentions = sum(len(re.findall(r"\bAny\b", text)) for text in texts)
    assert 1000 * mentions / lines <= MOST_ANY, "annotate what it is, JsonView, or object"
