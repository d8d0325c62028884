"""What the verifier spends on small bundles that want much work.

An honest bundle (`recent` over LoCoMo's sample) is changed in one place each, sealed again, and
checked in a process of its own, as a board does it. `docs/verification.md` has the table.

Usage: python benchmarks/work_bombs.py
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
from memory import peak_rss_mb

from membench.harness.run import start
from membench.leaderboard.bundles import layout
from membench.leaderboard.bundles.bundle import checksums, make_bundle
from membench.leaderboard.bundles.score_table import unpacked_rows
from membench.leaderboard.validation import verify
from membench.records.spec import ExecOptions, RunSpec

PIECES = 1_000
"""In how many pieces a long file is compressed."""


def bombs(honest: Path) -> Iterator[tuple[str, str, bytes]]:
    """What each is called, which file is changed, and what it holds then."""
    yield "300,000 score lines `{}`", layout.SCORES, repeated(b"{}\n", 300_000)
    keys = b",".join(b'"k%d":1' % n for n in range(99_999))
    yield (
        "a score line of 100,000 keys, the last one twice",
        layout.SCORES,
        gzip.compress(b'{%s,"k99998":2}\n' % keys, mtime=0),
    )
    yield "30,000 rows of one question", layout.SCORES, rows_of_one_question(honest, 30_000)
    manifest = orjson.loads((honest / layout.MANIFEST).read_bytes())
    manifest["options"]["strings"] = ["a." * 490 + str(n) for n in range(2_000)]
    yield "2,000 strings of 490 dots each in the manifest", layout.MANIFEST, orjson.dumps(manifest)
    yield "20,000,000 lines `{}` of energy", layout.ENERGY, repeated(b"{}\n", 20_000_000)


def repeated(line: bytes, times: int) -> bytes:
    """A line many times over, compressed."""
    piece = gzip.compress(line * (times // PIECES), 9, mtime=0)
    return piece * PIECES


def rows_of_one_question(honest: Path, times: int) -> bytes:
    """The score rows of a bundle, the first of them many times over, in schema 1."""
    lines = gzip.decompress((honest / layout.SCORES).read_bytes()).splitlines()
    first, *rows = unpacked_rows(map(orjson.loads, lines))
    told = [*[first] * times, *rows]
    option = orjson.OPT_APPEND_NEWLINE
    return gzip.compress(b"".join(orjson.dumps(row, option=option) for row in told), mtime=0)


def changed(honest: Path, to: Path, name: str, data: bytes) -> Path:
    """A copy of a bundle with one file of another content."""
    files = {f.name: f.read_bytes() for f in honest.iterdir() if f.name != layout.CHECKSUMS}
    files[name] = data
    to.mkdir()
    for file, content in {**files, layout.CHECKSUMS: checksums(files)}.items():
        (to / file).write_bytes(content)
    return to


def measured(bundle: Path) -> tuple[str, float, float]:
    """Which rule refused a bundle, CPU seconds, and peak memory in 10^6 bytes, of a process."""
    done = subprocess.run([sys.executable, __file__, str(bundle)], check=True, capture_output=True)
    rule, cpu_s, memory_mb = orjson.loads(done.stdout)
    return rule, cpu_s, memory_mb


def check(bundle: Path) -> None:
    """Check a bundle in this process, and print what `measured` returns."""
    findings = verify(bundle).findings
    spent = os.times()
    rule = findings[0].rule if findings else "none"
    print(orjson.dumps([rule, spent.user + spent.system, peak_rss_mb()]).decode())


def main() -> None:
    """Measure and print a table."""
    if sys.argv[1:]:
        check(Path(sys.argv[1]))
        return
    print("| bundle | size | CPU | memory | rule |\n|---|--:|--:|--:|---|")
    with tempfile.TemporaryDirectory(prefix="membench-bombs-") as folder:
        options = ExecOptions(out=Path(folder) / "runs", energy="none")
        run = start(RunSpec("recent", "locomo", "sample", reader="refuse"), options).run
        honest = make_bundle(run.path, Path(folder) / "honest").path
        made = [("the honest bundle", honest)]
        for number, (title, name, data) in enumerate(bombs(honest)):
            made.append((title, changed(honest, Path(folder) / str(number), name, data)))
        for title, bundle in made:
            rule, cpu_s, memory_mb = measured(bundle)
            size = sum(file.stat().st_size for file in bundle.iterdir()) / 1e3
            print(f"| {title} | {size:.0f} kB | {cpu_s:.1f} s | {memory_mb:.0f} MB | `{rule}` |")


if __name__ == "__main__":
    main()
