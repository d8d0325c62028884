"""Getting published files: pinned, checked, resumed, consented to. Against a server on loopback."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from membench.domain.errors import DataError, UnknownName, UsageError
from membench.tasks.card import DataFile, TaskCard
from membench.tasks.download import HUB, RAW, consents_file, get, pinned_url, status
from membench.tasks.persistbench.task import PersistBench
from membench.tasks.registry import get_task, list_tasks

CONTENT = bytes(range(256)) * 4000
REVISION = "f" * 40


@dataclass
class Site:
    """A source on loopback.

    Attributes:
        files: Path -> content.
        requests: Path and Range header of each request so far.
        cut: Bytes after which the next replies break off.
        ranges: Whether it serves parts.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)
    ranges: bool = True


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            site.requests.append((self.path, asked))
            if self.path not in site.files:
                self.send_error(404)
                return
            start = int(asked[6:-1]) if asked and site.ranges else 0
            body = site.files[self.path][start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: site.cut.pop(0)] if site.cut else body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(found))
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MEMBENCH_DATA", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


FILE = DataFile(
    name="toy.jsonl",
    split="main",
    bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    url=f"{HUB}/datasets/owner/toy",
    revision=REVISION,
)
PATH = f"/datasets/owner/toy/resolve/{REVISION}/toy.jsonl"


class Toy(PersistBench):
    card = TaskCard(
        name="toy",
        title="Toy",
        paper="",
        licence="CC-BY-4.0",
        may_redistribute_text=True,
        files=(FILE,),
        splits=("main",),
        default_split="main",
        categories={},
        counts={},
        headline=(),
        main_metric="accuracy",
        offline_metric="accuracy",
    )

    @classmethod
    def folder(cls) -> Path:
        return PersistBench.folder()


def yes(card: TaskCard) -> bool:
    return True


def no(card: TaskCard) -> bool:
    return False


def fetch(site: Site, **given: Any) -> Path:
    site.files.setdefault(PATH, CONTENT)
    (path,) = get(Toy, None, given.pop("accept", yes), hosts={HUB: site.url}, **given)
    return path


# --- getting -------------------------------------------------------------------------------------


def test_a_file_comes_from_its_pinned_revision_into_the_user_cache(site: Site, cache: Path) -> None:
    path = fetch(site)
    assert path == cache / "membench" / "data" / "toy" / "toy.jsonl"
    assert path.read_bytes() == CONTENT
    assert site.requests == [(PATH, "")]
    assert not path.with_name("toy.jsonl.part").exists()


def test_a_file_that_is_there_is_not_fetched_again(site: Site) -> None:
    fetch(site)
    fetch(site)
    assert len(site.requests) == 1


def test_a_changed_file_in_the_cache_is_fetched_anew(site: Site) -> None:
    fetch(site).write_bytes(b"x" * len(CONTENT))
    assert fetch(site).read_bytes() == CONTENT


def test_a_broken_transfer_goes_on_from_where_it_stopped(site: Site) -> None:
    site.cut = [100_000, 50_000]
    assert fetch(site).read_bytes() == CONTENT
    assert [asked for _, asked in site.requests] == ["", "bytes=100000-", "bytes=150000-"]


def test_what_arrived_is_kept_for_the_next_attempt(site: Site, cache: Path) -> None:
    site.cut = [1000, 1000, 1000]
    with pytest.raises(DataError, match="What arrived is kept"):
        fetch(site)
    assert (cache / "membench/data/toy/toy.jsonl.part").stat().st_size == 3000
    assert fetch(site).read_bytes() == CONTENT
    assert site.requests[-1][1] == "bytes=3000-"


def test_a_source_without_ranges_starts_over(site: Site) -> None:
    site.cut, site.ranges = [1000], False
    assert fetch(site).read_bytes() == CONTENT


def test_progress_rises_to_the_size_of_the_file(site: Site, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    fetch(site, folder=tmp_path / "here", progress=lambda *step: told.append(step))
    assert told[0] == ("toy.jsonl", 0, len(CONTENT))
    assert told[-1] == ("toy.jsonl", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_another_file_under_the_name_is_refused_and_not_kept(site: Site, tmp_path: Path) -> None:
    site.files[PATH] = CONTENT[::-1]
    with pytest.raises(DataError, match="not the published file") as caught:
        fetch(site, folder=tmp_path / "here")
    assert FILE.url in caught.value.remedy
    assert list((tmp_path / "here").iterdir()) == []


def test_a_source_that_never_stops_is_cut_off(site: Site) -> None:
    site.files[PATH] = CONTENT + b"more"
    with pytest.raises(DataError, match="more than the published"):
        fetch(site)


def test_a_missing_file_is_told_at_once_with_its_address(site: Site) -> None:
    site.files[PATH] = CONTENT
    gone = {HUB: f"{site.url}/nowhere"}
    with pytest.raises(DataError, match=re.escape(f"{site.url}/nowhere{PATH} (HTTP 404")):
        get(Toy, "main", yes, hosts=gone)
    assert len(site.requests) == 1


def test_without_a_network_the_remedy_names_the_other_way() -> None:
    with pytest.raises(DataError, match="--data"):
        get(Toy, "main", yes, hosts={HUB: "http://127.0.0.1:9"})


def test_a_mirror_of_the_hub_is_taken_from_the_environment(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.files[PATH] = CONTENT
    monkeypatch.setenv("HF_ENDPOINT", f"{site.url}/")
    get(Toy, None, yes)
    assert site.requests == [(PATH, "")]


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(UnknownName, match="'mian'"):
        get(Toy, "mian", yes)


def test_every_published_file_has_a_pinned_address() -> None:
    for name in list_tasks():
        for file in get_task(name).card.files:
            url = pinned_url(file)
            assert file.revision in url and url.startswith((f"{HUB}/datasets/", f"{RAW}/"))
            assert url.endswith(file.name) and "/blob/" not in url
            assert len(file.sha256) == 64 and file.bytes > 0


# --- licences ------------------------------------------------------------------------------------


def test_a_licence_is_accepted_once(site: Site, cache: Path) -> None:
    asked: list[str] = []

    def ask(card: TaskCard) -> bool:
        asked.append(card.licence)
        return True

    fetch(site, accept=ask).unlink()
    fetch(site, accept=ask)
    assert asked == ["CC-BY-4.0"]
    assert consents_file() == cache / "membench" / "licences.json"


def test_without_consent_nothing_is_fetched(site: Site) -> None:
    with pytest.raises(UsageError, match=r"CC-BY-4\.0"):
        fetch(site, accept=no)
    assert site.requests == []


def test_another_licence_is_asked_for_again(site: Site) -> None:
    fetch(site).unlink()
    file = consents_file()
    file.write_text(file.read_text(encoding="utf-8").replace("CC-BY-4.0", "MIT"), encoding="utf-8")
    with pytest.raises(UsageError):
        fetch(site, accept=no)


def test_a_damaged_record_of_consent_counts_as_none(site: Site) -> None:
    fetch(site).unlink()
    consents_file().write_text("[", encoding="utf-8")
    with pytest.raises(UsageError):
        fetch(site, accept=no)


# --- from an installed package -------------------------------------------------------------------


@pytest.mark.data
def test_persistbench_comes_from_an_installed_package_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = tmp_path / "site" / "inspect_evals" / "persistbench" / "benchmark_samples"
    samples.mkdir(parents=True)
    (tmp_path / "site" / "inspect_evals" / "__init__.py").write_text("raise ImportError")
    for file in PersistBench.card.files[1:]:
        (samples / file.name).write_bytes((published_folder() / file.name).read_bytes())
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    importlib.invalidate_caches()
    paths = get(PersistBench, "all", yes, hosts={RAW: "http://127.0.0.1:9"})
    assert paths[0].name == "full_benchmark.jsonl"
    assert all(path.stat().st_size for path in paths)


def published_folder() -> Path:
    if PUBLISHED is None:
        pytest.skip("MEMBENCH_DATA is not set")
    return Path(PUBLISHED) / "persistbench"


PUBLISHED = os.environ.get("MEMBENCH_DATA")


# --- status --------------------------------------------------------------------------------------


def test_status_tells_what_is_there_and_what_is_missing(site: Site) -> None:
    missing, sample = status([Toy])
    assert (missing.split, missing.version, missing.path) == ("main", "missing", None)
    assert (missing.bytes, missing.accepted) == (len(CONTENT), False)
    assert (sample.split, sample.version, sample.accepted) == ("sample", "sample", True)
    path = fetch(site)
    found, _ = status([Toy])
    assert (found.version, found.path, found.accepted) == ("official", path, True)
    assert next(status([Toy], verify=False)).version == "unchecked"
    path.write_bytes(b"{}")
    assert next(status([Toy])).version == "unknown"


def test_every_task_has_a_status_without_any_data() -> None:
    found = list(status([get_task(name) for name in list_tasks()]))
    assert {entry.version for entry in found} == {"missing", "sample", "generated"}
    assert all(entry.accepted for entry in found if entry.version != "missing")
    assert all(entry.licence for entry in found)


def test_what_comes_with_membench_is_there_without_a_download() -> None:
    found = get(get_task("synthetic"), "base", no)
    assert [path.name for path in found] == ["base.json"]


def test_where_nothing_is_known_to_fetch_it_is_said() -> None:
    with pytest.raises(UsageError, match="knows no file") as caught:
        get(get_task("memoryagentbench"), None, no)
    assert "--data" in str(caught.value)
