"""Benchmark data that lies on the Hugging Face hub, at a revision that cannot change.

`--data hub:OWNER/NAME@COMMIT` stands for a local snapshot of that commit: the files of the split
are fetched once, into the cache of `huggingface_hub` ($HF_HOME), and read from there. A branch or
a tag is refused: what it names may be other data tomorrow. `$HF_ENDPOINT` names another hub.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from membench.domain.errors import DataError, UsageError

ADDRESS = re.compile(r"hub:(?P<name>[\w.-]+/[\w.-]+)@(?P<revision>[^@]+)")
COMMIT = re.compile(r"[0-9a-f]{40}")
DATA_FILES = tuple(f"*{suffix}" for suffix in (".json", ".jsonl", ".gz", ".parquet", ".arrow"))
"""What is fetched where a task's card does not say which files hold a split."""


def is_on_hub(data: Path | None) -> bool:
    """Whether `--data` names a dataset of the hub."""
    return data is not None and str(data).startswith("hub:")


def snapshot(data: Path, names: Sequence[str]) -> Path:
    """The folder with a dataset's files, fetched if they are not there yet.

    Args:
        data: `hub:OWNER/NAME@COMMIT`.
        names: Names of the files that are wanted, with `*`; all that hold data if empty.

    Raises:
        UsageError: It is no such address, names no commit, or the library is missing.
        DataError: The hub does not answer, or has no such dataset, commit or file.
    """
    name, commit = parsed(data)
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError:
        remedy = "Install the extra: pip install 'membench[data]'"
        raise UsageError(f"{data} needs the library 'huggingface_hub'", remedy) from None
    patterns = [spelling for each in names for spelling in (each, f"*/{each}")]
    try:
        folder = snapshot_download(
            name, repo_type="dataset", revision=commit, allow_patterns=patterns or list(DATA_FILES)
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        problem = f"cannot be fetched: {(str(error).splitlines() or ['no answer'])[0][:200]}"
        remedy = "Check name, commit and network, or name a local copy with --data PATH."
        raise DataError(data, "", problem, remedy) from None
    return Path(folder)


def parsed(data: Path) -> tuple[str, str]:
    """Dataset and commit of an address.

    Raises:
        UsageError: It has another form.
    """
    found = ADDRESS.fullmatch(str(data))
    if found is None or not COMMIT.fullmatch(found["revision"]):
        raise UsageError(
            f"'{data}' does not name a dataset of the hub at a commit",
            "Write --data hub:OWNER/NAME@COMMIT with the 40 hexadecimal digits of a commit: "
            "a branch may be other data tomorrow.",
        )
    return found["name"], found["revision"]


def folders_in(root: Path) -> list[Path]:
    """Where a snapshot may keep a task's files: at its top, and one level below."""
    return [root, *sorted(path for path in root.iterdir() if path.is_dir())]
