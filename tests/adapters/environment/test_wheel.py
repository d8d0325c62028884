"""Membench as it is installed: a worker starts from a wheel, outside any source tree."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from toys import GOOD

ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys
from pathlib import Path
from membench.adapters.environment import environments
from membench.adapters.registry import create, get_card
from membench.domain.case import CaseInfo, Session, Turn
from membench.domain.system import Query, SystemContext
from membench.experiments.traffic import PROFILE_FOLDERS

folder = Path(sys.argv[1])
card = get_card(str(folder / "toy"))
environments.install(card, lambda _: None)
assert "site" in environments.__file__, environments.__file__
system = create(card, SystemContext({}, 0, folder, len))
system.reset(CaseInfo("case", "test", ("Ines",)))
system.ingest(Session("s", 0, (Turn("t", "Ines", "user", "hi", "Ines: hi"),)))
print(system.recall(Query("hi", 5))[0].text)
system.close()
for name in ("mem0", "langmem", "graphiti", "hindsight", "simplemem"):
    assert environments.lock_of(get_card(name)).is_file()
assert (PROFILE_FOLDERS[0] / "mem0.json").is_file()
"""


@pytest.mark.slow
def test_a_worker_starts_from_an_installed_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    toy = tmp_path / "toy"
    toy.mkdir()
    (toy / "system.toml").write_text(
        "name='toy'\ntitle='T'\nsummary='S'\nversion='1'\nlicence='MIT'\nfidelity='control'\n"
        "granularity='turn'\ntime='kept'\nreplay='exact'\n[environment]\n"
    )
    (toy / "adapter.py").write_text(GOOD)
    (toy / "requirements.lock").touch()
    monkeypatch.setenv("MEMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout == "Ines: hi\n"
