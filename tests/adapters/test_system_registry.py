"""Systems are found by their system.toml alone, and nothing of them is imported before `create`."""

import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from membench.adapters import registry
from membench.adapters.card import METHODS, SystemCard
from membench.adapters.isolation import Isolation
from membench.adapters.registry import checked_parameters, create, discover, get_card, list_systems
from membench.domain.case import CaseInfo
from membench.domain.errors import DataError, UnknownName, UsageError
from membench.domain.system import MemorySystem, SystemContext

IN_PROCESS = Isolation("in-process", "asked for")

TOML = """
name = "{name}"
title = "Mine"
summary = "A system under test."
version = "3"
licence = "MIT"
fidelity = "control"
granularity = "turn"
time = "not used"
replay = "exact"
{more}
"""

ADAPTER = """
from membench.domain.system import SystemContext
from .words import GREETING

class System:
    def __init__(self, context: SystemContext) -> None:
        self.greeting = GREETING
    def reset(self, case): ...
    def ingest(self, session): return []
    def recall(self, query): return []
    def close(self): ...
"""


def write_system(folder: Path, name: str = "mine", more: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "system.toml").write_text(TOML.format(name=name, more=more))
    (folder / "adapter.py").write_text(ADAPTER)
    (folder / "words.py").write_text("GREETING = 'hello'")
    return folder


def context(tmp_path: Path) -> SystemContext:
    return SystemContext({}, 0, tmp_path, len)


def test_the_controls_and_bm25_are_built_in() -> None:
    assert {"none", "random", "recent", "full_context", "oracle", "bm25"} <= set(list_systems())


def test_no_built_in_system_is_broken() -> None:
    assert discover().problems == {}


@pytest.mark.parametrize("name", list_systems())
def test_every_card_says_where_it_comes_from(name: str) -> None:
    card = get_card(name)
    assert card.name == name
    assert card.folder.joinpath("system.toml").is_file()
    assert all(parameter.doc for parameter in card.parameters.values())


@pytest.mark.parametrize("capability", METHODS)
def test_every_capability_with_a_method_is_a_known_word(capability: str) -> None:
    assert capability in registry.CAPABILITIES


def test_listing_systems_imports_none_of_them() -> None:
    code = (
        "import sys; from membench.adapters.registry import list_systems; list_systems();"
        "print([m for m in sys.modules if m.endswith('.adapter') or m in ('numpy', 'rank_bm25')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'bm25'"):
        get_card("bm52")


def test_a_path_is_a_system_under_development(tmp_path: Path) -> None:
    folder = write_system(tmp_path / "mine")
    card = get_card(str(folder))
    assert (card.name, card.version, card.package) == ("mine", "3", None)
    made = create(card, context(tmp_path), IN_PROCESS)
    assert isinstance(made, MemorySystem)
    assert made.greeting == "hello"  # type: ignore[attr-defined]


def test_a_path_without_a_system_says_what_a_system_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"system\.toml: there is no such file"):
        get_card(str(tmp_path))


@pytest.fixture
def installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[tuple[str, str, str]]]:
    """Entry points of an imaginary distribution whose packages lie in `tmp_path`."""
    points: list[tuple[str, str, str]] = []
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [EntryPoint(*point) for point in points]
    )
    yield points
    for name in [name for name in sys.modules if name.split(".")[0] == "vendor"]:
        del sys.modules[name]


def test_an_entry_point_adds_a_system_without_importing_it(
    tmp_path: Path, installed: list[tuple[str, str, str]]
) -> None:
    write_system(tmp_path / "vendor" / "mine")
    (tmp_path / "vendor" / "__init__.py").write_text("")
    installed.append(("mine", "vendor.mine", registry.GROUP))
    card = list_systems()["mine"]
    assert "vendor" not in sys.modules
    made = create(card, context(tmp_path), IN_PROCESS)
    assert made.greeting == "hello"  # type: ignore[attr-defined]
    assert "vendor.mine.adapter" in sys.modules


def test_a_system_of_another_distribution_runs_in_a_worker_under_its_own_name(
    tmp_path: Path, installed: list[tuple[str, str, str]]
) -> None:
    write_system(tmp_path / "vendor" / "mine")
    (tmp_path / "vendor" / "__init__.py").write_text("")
    (tmp_path / "vendor" / "words.py").write_text("GREETING = 'from a sibling'")
    adapter = tmp_path / "vendor" / "mine" / "adapter.py"
    adapter.write_text(f"from vendor.words import GREETING\n{adapter.read_text()}")
    installed.append(("mine", "vendor.mine", registry.GROUP))
    with closing(create(list_systems()["mine"], context(tmp_path))) as made:
        made.reset(CaseInfo("case", "test", ()))
    assert not hasattr(made, "greeting")
    assert "vendor.words" not in sys.modules


def test_a_broken_plugin_does_not_hide_the_others(
    tmp_path: Path, installed: list[tuple[str, str, str]]
) -> None:
    write_system(tmp_path / "vendor" / "broken", name="broken", more="colour = 'red'")
    installed.append(("broken", "vendor.broken", registry.GROUP))
    assert "bm25" in list_systems()
    with pytest.raises(DataError, match="colour"):
        get_card("broken")


def test_a_plugin_cannot_take_the_name_of_another_system(
    tmp_path: Path, installed: list[tuple[str, str, str]]
) -> None:
    write_system(tmp_path / "vendor" / "bm25", name="bm25")
    installed.append(("bm25", "vendor.bm25", registry.GROUP))
    found = discover()
    assert found.cards["bm25"].package == "membench.adapters.systems.baselines.bm25"
    assert "already" in str(found.problems["bm25"])


def test_an_entry_point_of_a_package_that_is_gone_is_a_problem_not_a_crash(
    installed: list[tuple[str, str, str]],
) -> None:
    installed.append(("ghost", "no_such_package.ghost", registry.GROUP))
    assert "not installed" in str(discover().problems["ghost"])


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("protocol = 'psychic'", "protocol"),
        ("capabilities = ['telepathy']", "telepathy"),
        ("entry = 'adapter.py'", "entry"),
        ("colour = 'red'", "colour"),
        ("[parameters.n]\ndefault = 'x'\ntype = 'int'\ndoc = 'd'", "not of type int"),
        ("[parameters.n]\ndefault = 0\ntype = 'int'\nminimum = 1\ndoc = 'd'", "below 1"),
        ("[parameters.n]\ndefault = 'a'\ntype = 'str'\nchoices = ['b']\ndoc = 'd'", "not one of"),
        ("[parameters.n]\ndefault = 1\ntype = 'int'", "doc"),
        ("= broken", "not TOML"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(tmp_path: Path, more: str, complaint: str) -> None:
    folder = write_system(tmp_path / "mine", more=more)
    with pytest.raises(DataError, match=complaint) as caught:
        get_card(str(folder))
    assert caught.value.file == str(folder / "system.toml")
    assert caught.value.remedy


def test_an_entry_without_its_class_is_refused(tmp_path: Path) -> None:
    folder = write_system(tmp_path / "mine", more="entry = 'adapter:Nobody'")
    with pytest.raises(DataError, match="Nobody"):
        create(get_card(str(folder)), context(tmp_path), IN_PROCESS)


def test_a_system_with_its_own_environment_needs_it_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMBENCH_CACHE", str(tmp_path / "cache"))
    folder = write_system(tmp_path / "mine", more="[environment]\nlock = 'requirements.lock'")
    (folder / "requirements.lock").touch()
    card = get_card(str(folder))
    assert card.environment is not None
    assert card.environment.lock == "requirements.lock"
    with pytest.raises(UsageError, match="not installed") as caught:
        create(card, context(tmp_path))
    assert f"membench systems install {card.name}" in caught.value.remedy


PARAMETERS = """
[parameters.count]
default = 3
type = "int"
minimum = 1
maximum = 9
doc = "How many."
[parameters.share]
default = 0.5
type = "float"
doc = "How much."
[parameters.fast]
default = false
type = "bool"
doc = "Whether."
[parameters.colour]
default = "red"
type = "str"
choices = ["red", "blue"]
doc = "Which."
"""


@pytest.fixture
def card(tmp_path: Path) -> SystemCard:
    return get_card(str(write_system(tmp_path / "mine", more=PARAMETERS)))


def test_parameters_default_and_parse_by_their_declared_type(card: SystemCard) -> None:
    defaults = {"count": 3, "share": 0.5, "fast": False, "colour": "red"}
    assert checked_parameters(card, {}) == defaults
    given = {"count": "7", "share": "1", "fast": "yes", "colour": "blue"}
    parsed = checked_parameters(card, given)
    assert parsed == {"count": 7, "share": 1.0, "fast": True, "colour": "blue"}
    assert [type(value) for value in parsed.values()] == [int, float, bool, str]


def test_typed_values_pass_and_an_integer_stands_for_a_float(card: SystemCard) -> None:
    assert checked_parameters(card, {"count": 7, "share": 2})["share"] == 2.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", "many"),
        ("count", 0),
        ("count", "10"),
        ("count", True),
        ("count", 1.5),
        ("share", "half"),
        ("share", "nan"),
        ("share", math.inf),
        ("fast", "perhaps"),
        ("colour", "green"),
        ("colour", 1),
    ],
)
def test_a_bad_value_is_refused_by_name(card: SystemCard, name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"--set {name}="):
        checked_parameters(card, {name: value})  # type: ignore[dict-item]


def test_an_unknown_parameter_suggests_the_nearest(card: SystemCard) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'colour'"):
        checked_parameters(card, {"color": "red"})


@pytest.mark.parametrize("more", ['reference = "ceiling"', 'capabilities = ["evidence_grant"]'])
def test_a_ceiling_is_granted_the_evidence_and_nothing_else_is(tmp_path: Path, more: str) -> None:
    folder = write_system(tmp_path / "mine")
    file = folder / "system.toml"
    file.write_text(f"{more}\n{file.read_text()}")
    with pytest.raises(DataError, match="'ceiling' and capability 'evidence_grant' go together"):
        get_card(str(folder))


def test_a_card_says_what_others_are_compared_with_it_as(tmp_path: Path) -> None:
    folder = write_system(tmp_path / "mine")
    assert get_card(str(folder)).reference is None
    file = folder / "system.toml"
    file.write_text(f'reference = "full-context"\n{file.read_text()}')
    assert get_card(str(folder)).reference == "full-context"


def test_a_built_in_system_is_found_without_reading_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "discover", lambda: pytest.fail("all cards were read"))
    assert [get_card(name).name for name in ("bm25", "mem0-raw")] == ["bm25", "mem0-raw"]


def test_a_misspelt_key_of_a_system_toml_is_told_with_the_one_that_was_meant(
    tmp_path: Path,
) -> None:
    card = (
        'name = "mine"\ntitle = "Mine"\nsummary = "A diary."\nversion = "1"\nlicence = "MIT"\n'
        'fidelity = "control"\ngranularity = "turn"\ntime = "kept"\nreplay = "exact"\n'
        'capabilites = ["memories"]\n'
    )
    (tmp_path / "system.toml").write_text(card)
    with pytest.raises(DataError, match="capabilites: no such key; did you mean 'capabilities'"):
        get_card(f"{tmp_path}/")
