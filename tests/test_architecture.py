"""Dependencies point one way, and heavy libraries are imported only where they are needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "membench"

LEAVES = ("membench.harness.model", "membench.harness.errors", "membench.tokens")
"""What everybody may import."""

ALLOWED = {
    "metrics": ("membench.metrics",),
    "tasks": ("membench.tasks", "membench.metrics"),
    "adapters": ("membench.adapters",),
    "energy": ("membench.energy", "membench.metrics"),
    "tokens": (),
    "harness": (
        "membench.harness",
        "membench.tasks",
        "membench.adapters",
        "membench.metrics",
        "membench.energy",
    ),
}

MODELS = {"litellm", "torch", "sentence_transformers", "ray", "zeus", "codecarbon", "pynvml"}
BOARDS = {"streamlit", "plotly", "pandas", "pyarrow", "datasets"}
SERVERS = {"httpx", "starlette", "uvicorn"}
NUMBERS = {"numpy", "scipy", "nltk", "tiktoken", "bm25s", "pydantic", "yaml"}


def imports_of(path: Path) -> set[str]:
    """Modules of ours that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("membench.")}


def may_import(room: str, name: str) -> bool:
    """Whether a module of `room` may import `name`, or a name from it."""
    permitted = (*ALLOWED[room], *LEAVES, "membench.harness", "membench.__version__")
    if room != "harness" and name.startswith("membench.harness"):
        return name == "membench.harness" or name.startswith(LEAVES)
    return any(name == allowed or name.startswith(f"{allowed}.") for allowed in permitted)


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_dependencies_point_one_way(room):
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for name in sorted(imports_of(path))
        if not may_import(room, name)
    ]
    assert wrong == []


def test_the_model_imports_nothing_of_ours():
    assert imports_of(PACKAGE / "harness" / "model.py") == set()


def test_the_failure_vocabulary_imports_nothing_of_ours():
    assert imports_of(PACKAGE / "harness" / "errors.py") == set()


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


OPTIONAL = MODELS | BOARDS | SERVERS | {"aiohttp", "aiolimiter", "openai", "mcp", "uv"}


def membench_without_extras(*arguments: str) -> subprocess.CompletedProcess:
    """Run a command where every optional library is missing, as after `pip install -e .`."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(OPTIONAL)!r})); "
        f"from membench.cli import main; sys.argv = {['membench', *arguments]!r}; main()"
    )
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_main_job_needs_none_of_the_extras(tmp_path):
    sample = ("--system=bm25", "--task=locomo", "--split=sample", f"--out={tmp_path}")
    done = membench_without_extras("run", *sample)
    assert done.returncode == 0, done.stderr
    assert "recall@10" in done.stdout


@pytest.mark.parametrize("command", ["systems", "tasks", "doctor"])
def test_what_there_is_can_be_listed_without_the_extras(command):
    done = membench_without_extras(command)
    assert done.returncode == 0, done.stderr


def test_a_lane_loads_no_library_of_models_or_boards():
    statement = "import membench.harness.lane, membench.harness.engine.local"
    assert modules_after(statement) & (MODELS | BOARDS | SERVERS) == set()


def test_listing_systems_imports_no_system():
    loaded = modules_after("from membench.adapters.registry import list_systems; list_systems()")
    assert loaded & {"rank_bm25", "bm25s", "nltk", "httpx"} == set()
