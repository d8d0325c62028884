"""Every command without any extra: it works, or says before any work which extra it needs."""

import pytest
import typer

from membench.cli import app
from tests.cli.test_help import commands
from tests.test_architecture import membench_without_extras

ROOT = typer.main.get_command(app)
RUN = "--system bm25 --task locomo --split sample --out {folder}"
LLM, BOARD = "membench[llm]", "membench[leaderboard]"

GIVEN: dict[str, list[tuple[str, str | None]]] = {
    "run": [
        (RUN, None),
        (RUN + " --reader scripted", LLM),
        (RUN.replace("bm25", "mcp") + " --set command=x", "membench[mcp]"),
        (RUN.replace("bm25", "mem0") + " --memory-model scripted --embedder scripted", LLM),
        (RUN.replace("bm25", "dense") + " --embedder minilm", "membench[minilm]"),
        (RUN + " --reader smollm2", "membench[local]"),
        (
            RUN.replace("bm25", "dense") + " --embedder minilm --reader smollm2",
            "membench[local,minilm]",
        ),
        (RUN + " --engine ray", "membench[ray]"),
        (RUN + " --energy nvml", "membench[energy]"),
    ],
    "profile": [("bm25 --lengths 2,4,6,8", LLM)],
    "plan": [
        (RUN, None),
        (RUN + " --reader scripted", None),
        (RUN + " --reader openai/m --judge openai/m", None),
    ],
    "suite": [("{folder}/suite.yaml --out {folder}", None)],
    "read": [
        ("{folder}/one --reader refuse --out {folder}", None),
        ("{folder}/one --reader scripted --out {folder}", LLM),
    ],
    "judge": [("{folder}/one --judge scripted --out {folder}", LLM)],
    "score": [("{folder}/one", None)],
    "show": [("{folder}/one", None)],
    "runs list": [("--out {folder}", None)],
    "runs rm": [("{folder}/gone --yes", None)],
    "compare": [
        ("{folder}/one {folder}/two", None),
        ("{folder}/one {folder}/two --plot {folder}/x.html", BOARD),
    ],
    "energy show": [("{folder}/one", None)],
    "energy serve": [("--source nvml", "membench[energy]")],
    "report": [("{folder}/one --html {folder}/one.html", None)],
    "submit": [("{folder}/two --to {folder}/more", None)],
    "verify": [("{folder}/results/locomo/one", None)],
    "leaderboard": [
        ("--results {folder}/results", BOARD),
        ("--results {folder}/results --export {folder}/site", BOARD),
    ],
    "board index": [("--results {folder}/results", BOARD)],
    "board check-request": [("--base HEAD --results {folder}/results", None)],
    "board withdraw": [("one --who me --why wrong --results {folder}/results", None)],
    "board grant": [("one self-reported --who me --why so --results {folder}/results", None)],
    "board token": [("me", None)],
    "board key": [("{folder}/board.pem", BOARD)],
    "board sign": [("{folder}/board.pem --results {folder}/results", BOARD)],
    "board check": [("--trust ed25519:x --results {folder}/results", BOARD)],
    "systems": [("", None)],
    "systems show": [("bm25", None)],
    "systems check": [("bm25", LLM)],
    "systems install": [("bm25", None)],
    "systems remove": [("bm25", None)],
    "tasks": [("", None)],
    "tasks show": [("locomo", None)],
    "models list": [("", None)],
    "models install": [("nothing", None)],
    "models remove": [("nothing", None)],
    "data get": [("locomo --split nowhere", None)],
    "data status": [("", None)],
    "doctor": [("", None)],
    "cassette stats": [("{folder}/none", None)],
    "cassette export": [("{folder}/none", None)],
    "cassette merge": [("{folder}/none {folder}/nor-this", None)],
    "new system": [("fresh --parent {folder}", None)],
    "new task": [("fresh --parent {folder}", None)],
    "conformance": [("bm25", None), ("dense", LLM), ("mem0", LLM), ("mcp", "membench[mcp]")],
}
"""Arguments of every command, and the extra that must be named; None where none is needed."""

CALLS = [(name, given, extra) for name, calls in GIVEN.items() for given, extra in calls]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three runs, a bundle of one, and a suite."""
    made = tmp_path_factory.mktemp("base")
    for name in ("one", "two", "gone"):
        done = membench_without_extras("run", *RUN.format(folder=made).split(), "--run-id", name)
        assert done.returncode == 0, done.stderr
    membench_without_extras("submit", str(made / "one"), "--to", str(made / "results"))
    suite = "name: s\nsystems: [recent]\ntasks: [{task: locomo, split: sample}]\n"
    (made / "suite.yaml").write_text(suite)
    return made


def test_every_command_is_tried():
    leaves = {" ".join(words) for words in commands(ROOT)} - {""}
    groups = {" ".join(words[:-1]) for words in commands(ROOT) if len(words) > 1}
    assert set(GIVEN) - {"systems", "tasks"} == leaves - groups


@pytest.mark.slow
@pytest.mark.parametrize(("command", "given", "extra"), CALLS)
def test_a_command_works_or_names_the_extra_that_it_needs(folder, command, given, extra):
    done = membench_without_extras(*command.split(), *given.format(folder=folder).split())
    assert "Traceback" not in done.stderr
    if extra is None:
        assert done.returncode in (0, 2), done.stderr
        assert "pip install" not in done.stderr.replace("note: energy", "").partition("error")[2]
    else:
        assert done.returncode == 2, done.stderr
        assert extra in done.stderr
        assert done.stdout == ""
        assert not any(folder.glob("site/*"))


@pytest.mark.slow
def test_a_plan_without_the_price_map_says_what_brings_it():
    given = ["--system", "none", "--task", "locomo", "--split", "sample", "--reader", "openai/m"]
    done = membench_without_extras("plan", *given)
    assert done.returncode == 0, done.stderr
    assert "unknown USD" in done.stdout
    assert "litellm, whose price map is read, is not installed" in done.stdout
    assert f"pip install '{LLM}'; or state --model-set 'reader.price=" in done.stdout
