"""`membench submit RUN`: make a bundle, verify it as the board would, and hand it in.

Three ways: into a store or folder, as a folder ready for a pull request, or to a server. Only the
last one uses the network.
"""

from __future__ import annotations

import io
import os
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from membench.domain.errors import RunStateError, UsageError, UserError
from membench.domain.labels import JsonObject
from membench.harness.places import open_run
from membench.leaderboard.bundles.bundle import Bundle, make_bundle
from membench.leaderboard.store.store import Store
from membench.leaderboard.submission.scaffold_text import check_cards
from membench.leaderboard.validation import Rejected, Verification, verify
from membench.leaderboard.validation.rules import FLAGS
from membench.metrics.statistics import interval_text

TOKEN = "MEMBENCH_TOKEN"
"""Environment variable that holds a submitter's token."""

ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Submission:
    """A bundle that was handed in.

    Attributes:
        where: Folder or address.
        verification: What the validator said beforehand.
        sha256: What identifies the bundle.
        reply: What the server answered; empty without one.
    """

    where: str
    verification: Verification
    sha256: str
    reply: JsonObject


@contextmanager
def checked_bundle(
    run: Path, data: Path | None, near: Path
) -> Iterator[tuple[Bundle, Verification]]:
    """A verified bundle in a temporary folder.

    Raises:
        RunStateError: It is no run, or not finished.
        DataError: The card of what was run is still that of the scaffold.
        Rejected: The board would refuse it.
    """
    check_cards(open_run(run))
    with tempfile.TemporaryDirectory(prefix=".membench-submit-", dir=near) as folder:
        made = make_bundle(run, Path(folder) / "bundle")
        verification = verify(made.path, data)
        verification.accept()
        yield made, verification


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make a folder, and leave no trace of it where nothing came of what it was for."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in made:
            with suppress(OSError):
                path.rmdir()
        raise


def submit_to(run: Path, folder: Path, data: Path | None = None) -> Submission:
    """Put the bundle at `<folder>/<task>/<run_id>/`.

    Raises:
        Rejected: The board would refuse it.
        RunStateError: It is there already, or one whose name differs in case alone.
    """
    with new_folder(folder), checked_bundle(run, data, folder) as (made, verification):
        target = folder / made.task / made.run_id
        known = Store(folder).alike(made.run_id)
        if known is not None:
            raise RunStateError(
                f"{known.path} already exists, and a run id names one bundle, in any case",
                "Bundles are never replaced: make the run again under another --run-id.",
            )
        move_into_place(made.path, target)
    return Submission(str(target), verification, made.sha256, {})


def move_into_place(source: Path, target: Path) -> None:
    """Move a bundle to where nothing is yet.

    Raises:
        RunStateError: Something is there.
    """
    if target.exists():
        raise RunStateError(f"{target} already exists", "Bundles are never replaced.")
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def submit_pr(run: Path, folder: Path, data: Path | None = None) -> Submission:
    """Prepare a folder to copy into a checkout, and the text of the pull request.

    Raises:
        Rejected: The board would refuse it.
        RunStateError: The folder is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise RunStateError(f"{folder} is not empty", "Name a new folder.")
    with new_folder(folder), checked_bundle(run, data, folder) as (made, verification):
        move_into_place(made.path, folder / "results" / made.task / made.run_id)
    (folder / "PULL_REQUEST.md").write_text(request_text(made, verification), encoding="utf-8")
    return Submission(str(folder), verification, made.sha256, {})


def request_text(made: Bundle, verification: Verification) -> str:
    """Title, figures and checklist of a pull request."""
    contents = verification.accept()
    manifest, summary = contents.manifest, verification.summary
    lines = [
        f"# Result: {manifest['system']['name']} on {summary['task']} ({summary['split']})",
        "",
        f"- run: `{made.run_id}`, bundle sha256 `{made.sha256}`",
        f"- division: {summary['division']}",
        f"- reader {manifest['spec']['reader']}, judge {manifest['spec']['judge']}",
        f"- questions: {summary['counts']['questions']}, failed {summary['counts']['failed']}",
        "",
        "| metric | value | interval | came about |",
        "|---|---|---|---|",
        *metric_lines(verification),
        "",
        *[f"- remark: {FLAGS[flag]}" for flag in verification.flags],
        "",
        f"Check: `membench verify results/{made.task}/{made.run_id}`",
        "",
        "- [ ] I ran this myself with the released command and changed nothing afterwards.",
        "- [ ] I say below whether the system or its models were tuned on this benchmark.",
        "- [ ] How many runs of this configuration I made, submitted or not:",
        "",
    ]
    return "\n".join(lines)


def metric_lines(verification: Verification) -> list[str]:
    """Headline metrics as lines of a table."""
    from membench.tasks.registry import get_task

    lines = []
    for name in get_task(verification.summary["task"]).card.headline:
        metric = verification.summary["metrics"].get(name)
        if metric is None or metric["value"] is None:
            continue
        interval = interval_text(metric["ci95"], metric["clusters"], "[{:.4f}, {:.4f}]", "–")
        origin = verification.origins.get(name, "claimed")
        lines.append(f"| {name} | {metric['value']:.4f} | {interval} | {origin} |")
    return lines


# --- to a server -------------------------------------------------------------------------------


def submit_server(run: Path, server: str, data: Path | None = None) -> Submission:
    """Post the bundle to a board that accepts submissions.

    Raises:
        UsageError: No token, or an address that would send it in clear over a network.
        Rejected: The board would refuse it; nothing was sent.
        UserError: The server refused it or could not be reached.
    """
    token = os.environ.get(TOKEN, "")
    if not token:
        raise UsageError(
            f"--server needs a token in ${TOKEN}", "Ask the board's maintainers for one."
        )
    check_address(server)
    with checked_bundle(run, data, Path(tempfile.gettempdir())) as (made, verification):
        address = server.rstrip("/") + "/api/v1/submissions"
        reply = post(address, zipped(made.path), token)
    return Submission(address, verification, made.sha256, reply)


def check_address(server: str) -> None:
    """Tokens travel encrypted, or not at all.

    Raises:
        UsageError: The address is neither https nor this machine.
    """
    parts = urlsplit(server)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise UsageError(f"--server {server}: must be https", "A token is never sent in clear.")


def zipped(path: Path) -> bytes:
    """A bundle as a zip: equal bundles give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(path.iterdir()):
            info = zipfile.ZipInfo(file.name, ZIP_TIME)
            info.external_attr = 0o100644 << 16
            archive.writestr(info, file.read_bytes())
    return buffer.getvalue()


def post(address: str, body: bytes, token: str) -> JsonObject:
    """Send a zip and read the answer.

    Raises:
        UserError: The server refused it or could not be reached.
    """
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/zip"}
    request = urllib.request.Request(address, data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=300) as response:
            loaded: JsonObject = orjson.loads(response.read(1 << 20))
            return loaded
    except urllib.error.HTTPError as error:
        with error:
            raise refusal(error.code, error.read(1 << 20)) from None
    except (urllib.error.URLError, OSError, orjson.JSONDecodeError) as error:
        raise UserError(
            f"the server cannot be reached: {error}", "Try again, or submit with --pr DIR."
        ) from None


def refusal(status: int, body: bytes) -> UserError:
    """What a server's refusal means."""
    try:
        reply = orjson.loads(body)
    except orjson.JSONDecodeError:
        reply = {}
    problem = str(reply.get("problem", "no reason given"))[:2000]
    return UserError(f"the server answered {status}: {problem}", str(reply.get("remedy", "")))


__all__ = ["Rejected", "Submission", "submit_pr", "submit_server", "submit_to"]
