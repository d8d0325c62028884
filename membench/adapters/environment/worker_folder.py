"""The folder of a fork server, and the one in it that a case finds.

`case` holds home, working and temporary folder and the store: all that a worker may write, emptied
between cases. Its place stays the same, since libraries remember at import where home is. `code`
holds all of membench that a worker may import, and is only read. A system in an environment of its
own is copied there; one that runs in our own Python is linked, or imported from where it is
installed. So are the folders of membench: another Python compiles them anew, and another user may
not reach where they lie.
"""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from membench.adapters.card import EnvironmentCard, SystemCard
from membench.adapters.environment.keys import key_variables
from membench.domain.labels import Role
from membench.domain.system import ModelEndpoint, SystemContext

PACKAGE = Path(__file__).parents[2]
EXPOSED = ("labels", "case", "system", "answer")
"""Modules of `membench.domain` that a worker may see; never `score`, which holds gold."""
INNER = ("home", "work", "tmp", "store")
"""Folders that every case finds in its own."""
UNPRIVILEGED_USER = "nobody"
WITHOUT_PYC = shutil.ignore_patterns("__pycache__", "*.lock", "README.md")
TELEMETRY_OFF: Mapping[str, str] = {
    "MEM0_TELEMETRY": "False",
    "GRAPHITI_TELEMETRY_ENABLED": "false",
    "TELEMETRY_DISABLED": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}
"""What keeps packages from calling home."""
INHERITED_ENV = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
)
"""All that a worker inherits of our environment variables."""


def worker_user(environment: EnvironmentCard) -> pwd.struct_passwd | None:
    """Whom a worker runs as; None for ourselves."""
    if not environment.unprivileged or os.geteuid() != 0:
        return None
    return pwd.getpwnam(UNPRIVILEGED_USER)


def server_folder(workdir: Path, user: pwd.struct_passwd | None) -> Path:
    """A new folder for one server, where its user can reach it."""
    if user is None:
        return Path(tempfile.mkdtemp(prefix="case-", dir=workdir)).resolve()
    return Path(tempfile.mkdtemp(prefix="membench-case-")).resolve()


def prepare_folder(folder: Path, card: SystemCard, user: pwd.struct_passwd | None) -> None:
    """Lay out a server's folder: the case's, and the code that the worker may see."""
    for name in INNER:
        (folder / "case" / name).mkdir(parents=True)
    linked = card.environment is None and user is None
    expose(folder / "code", linked=linked)
    if card.environment is None:
        expose_parts(folder / "code", linked=linked)
        link_system(card, folder / "code" / "membench")
    else:
        adapters = folder / "code" / "membench" / "adapters"
        shutil.copytree(card.folder, adapters / "system", ignore=WITHOUT_PYC, dirs_exist_ok=True)
        for name in card.environment.beside:
            shutil.copytree(card.folder.parent / name, adapters / name, ignore=WITHOUT_PYC)
    if user is not None:
        shutil.copytree(PACKAGE / "tokens" / "cache", folder / "code" / "tiktoken")
        hand_over(folder, user)


def keep_imported_files(folder: Path) -> None:
    """Copy what libraries wrote into the case's folder when they were imported."""
    if len(list((folder / "case").rglob("*"))) > len(INNER):
        shutil.copytree(folder / "case", folder / "fresh", symlinks=True)


def inner_folders(folder: Path) -> dict[str, tuple[int, ...]]:
    """What tells whether anybody has used the folders of a case since, by name.

    The time of the last change of an inode cannot be set; it may be as coarse as a tick.
    """
    found = {name: (folder / "case" / name).lstat() for name in INNER}
    return {
        name: (
            status.st_ino,
            status.st_mode,
            status.st_size,
            status.st_atime_ns,
            status.st_ctime_ns,
        )
        for name, status in found.items()
    }


def renew_case_folder(
    folder: Path, user: pwd.struct_passwd | None, laid_out: Mapping[str, tuple[int, ...]]
) -> bool:
    """Remove what a case left, and lay out its folder as the first case found it.

    Args:
        folder: The server's.
        user: Whom its workers run as.
        laid_out: Of `inner_folders`, before the case: those that are as they were stay.

    Returns:
        Whether nothing of the case is left.
    """
    case, fresh = folder / "case", folder / "fresh"
    unused = set() if fresh.is_dir() else unused_folders(folder, laid_out)
    for entry in case.iterdir():
        if entry.name in unused:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink()
    if set(os.listdir(case)) - unused:  # noqa: PTH208
        return False
    for attribute in os.listxattr(case):
        os.removexattr(case, attribute)
    os.utime(case, (0, 0))
    case.chmod(0o700)
    if fresh.is_dir():
        shutil.copytree(fresh, case, symlinks=True, dirs_exist_ok=True)
    for name in INNER:
        (case / name).mkdir(exist_ok=True)
    if user is not None:
        hand_over(case, user)
    return True


def unused_folders(folder: Path, laid_out: Mapping[str, tuple[int, ...]]) -> set[str]:
    """Folders of a case that are empty and were not touched, by name."""
    try:
        now = inner_folders(folder)
    except OSError:
        return set()
    paths = {name: folder / "case" / name for name in INNER if now[name] == laid_out[name]}
    return {name for name, path in paths.items() if not os.listdir(path) and not os.listxattr(path)}  # noqa: PTH208


def hand_over(folder: Path, user: pwd.struct_passwd) -> None:
    """Make a folder and all below it a user's."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def expose(code: Path, *, linked: bool) -> None:
    """Bring what every adapter may import of membench to `code`, folders as links or copies."""
    package = code / "membench"
    for inner in ("", "domain", "adapters", "adapters/environment", "adapters/system"):
        (package / inner).mkdir(parents=True, exist_ok=True)
        (package / inner / "__init__.py").touch()
    for name in EXPOSED:
        copy_module(PACKAGE / "domain" / f"{name}.py", package / "domain")
    bring_folder(Path("adapters", "environment", "worker"), package, linked=linked)


def bring_folder(name: Path, package: Path, *, linked: bool) -> None:
    """Make a folder of membench a part of `package`."""
    if linked:
        (package / name).symlink_to(PACKAGE / name)
    else:
        shutil.copytree(PACKAGE / name, package / name)


def copy_module(file: Path, folder: Path) -> None:
    """Copy a module with what is compiled of it: another Python than ours compiles it anew."""
    shutil.copy2(file, folder)
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        (folder / "__pycache__").mkdir(exist_ok=True)
        shutil.copy2(compiled, folder / "__pycache__")


def expose_parts(code: Path, *, linked: bool) -> None:
    """Bring what an adapter in membench's own Python may import besides, compiled as it is here."""
    package = code / "membench"
    copy_module(PACKAGE / "domain" / "errors.py", package / "domain")
    bring_folder(Path("adapters", "parts"), package, linked=linked)
    (package / "tokens").mkdir()
    for file in (PACKAGE / "tokens").glob("*.py"):
        copy_module(file, package / "tokens")
    (package / "tokens" / "cache").symlink_to(PACKAGE / "tokens" / "cache")


def link_system(card: SystemCard, package: Path) -> None:
    """Make the folder of a system importable under the name that `import_name` gives it."""
    name = import_name(card)
    if not name.startswith("membench."):
        return
    target = package.joinpath(*name.split(".")[1:])
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    for folder in target.relative_to(package).parents:
        (package / folder / "__init__.py").touch()
    target.symlink_to(card.folder)


def import_name(card: SystemCard) -> str:
    """Under what name a worker imports the folder of a system."""
    installed = card.environment is None and card.package is not None
    return card.package if installed and card.package else "membench.adapters.system"


def worker_variables(
    card: SystemCard, context: SystemContext, folder: Path, python: Path
) -> dict[str, str]:
    """The environment variables of a worker: made, not inherited."""
    copied = folder / "code" / "tiktoken"
    tokens = copied if copied.is_dir() else PACKAGE / "tokens" / "cache"
    case = folder / "case"
    home = str(case / "home")
    return {
        **{name: os.environ[name] for name in INHERITED_ENV if name in os.environ},
        **TELEMETRY_OFF,
        **({} if card.environment else client_variables(context.models)),
        **key_variables(card),
        "PATH": os.pathsep.join([str(python.parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": home,
        "TMPDIR": str(case / "tmp"),
        "XDG_CACHE_HOME": f"{home}/.cache",
        "XDG_CONFIG_HOME": f"{home}/.config",
        "XDG_DATA_HOME": f"{home}/.local/share",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": str(context.seed % 2**32),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TIKTOKEN_CACHE_DIR": str(tokens),
        "DATA_GYM_CACHE_DIR": str(tokens),
    }


def client_variables(endpoints: Mapping[Role, ModelEndpoint]) -> dict[str, str]:
    """What makes a client that a system configures by the environment call the gateway too."""
    for endpoint in endpoints.values():
        return {"OPENAI_BASE_URL": endpoint.base_url, "OPENAI_API_KEY": endpoint.api_key}
    return {}
