"""What a restricted worker may read, write and reach: rules of Landlock, a part of Linux.

The rules are made here, on the lane's side, and handed to the worker as a file descriptor: all that
is left to do there is to put itself under them. Landlock has no rule that takes a right away from a
part of a folder, so that what must not be read is left out by naming its neighbours.

Out of its reach: UDP, and the host of a connection (it knows ports). The audit hook of the worker
refuses both for code that is Python.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from membench.adapters.card import SystemCard
from membench.adapters.environment import environments

if TYPE_CHECKING:
    from landlockpy import Ruleset

    from membench.domain.system import SystemContext

PACKAGE = Path(__file__).parents[2]
TOKENS = PACKAGE / "tokens" / "cache"
LINKED = (PACKAGE / "adapters" / "parts", PACKAGE / "adapters" / "environment" / "worker")
"""Folders of membench that a system in our own Python imports from where they lie."""
CREATE_RULESET, ASK_VERSION = 444, 1
"""Number of the system call on every processor, and its flag (landlock_create_ruleset(2))."""
MINIMUM_ABI = 4
"""The first version of Landlock that knows the network (Linux 6.7)."""
SYSTEM_FOLDERS = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/proc", "/sys")
SETTINGS = (
    *("alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "fonts"),
    *("gai.conf", "group", "host.conf", "hosts", "inputrc", "ld.so.cache", "ld.so.conf"),
    *("ld.so.conf.d", "locale.alias", "localtime", "machine-id", "magic", "mime.types"),
    *("nsswitch.conf", "OpenCL", "os-release", "passwd", "pki", "protocols", "resolv.conf"),
    *("services", "ssl", "terminfo", "timezone", "vulkan"),
)
"""Of /etc, what libraries read; not /etc/shadow, nor the settings of anything else."""
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
ACCELERATORS = ("nvidia*", "dri", "kfd")
SHARED_MEMORY = Path("/dev/shm")
RESOLVER = Path("/run/systemd/resolve")


def abi() -> int:
    """Version of Landlock in this kernel; 0 without it, or without the library.

    The kernel is asked here: the library is imported only where rules are made, since it starts a
    process (`ldconfig`) for its first call.
    """
    if find_spec("landlockpy") is None:
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(CREATE_RULESET, None, 0, ASK_VERSION)))


def problem() -> str:
    """Why workers cannot be restricted here; empty if they can."""
    found = abi()
    if found >= MINIMUM_ABI:
        return ""
    if found:
        return f"Landlock is too old in this kernel (version {found}, needed {MINIMUM_ABI})"
    return "this machine has no Landlock (Linux 6.7 and the package landlockpy)"


def readable_roots(card: SystemCard) -> list[Path]:
    """The folders that a worker of a system may read, besides the folder of its case."""
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    named = (*SYSTEM_FOLDERS, *(name for name in libraries if name))
    roots = [*map(Path, named), *prefixes(card), *site_folders(card), package_folder(card)]
    return [root for root in dict.fromkeys(roots) if root.exists() and root != Path("/")]


def python_of(card: SystemCard) -> Path:
    """The Python that runs a system: of its environment, else our own."""
    return Path(sys.executable) if card.environment is None else environments.python_of(card)


def prefixes(card: SystemCard) -> list[Path]:
    """Where that Python and its packages are installed."""
    if card.environment is None:
        return [Path(sys.prefix), Path(sys.base_prefix)]
    python = environments.python_of(card)
    return [python.parent.parent, python.resolve().parent.parent]


def site_folders(card: SystemCard) -> list[Path]:
    """Where a system without an environment finds packages: where we do."""
    names = ("site-packages", "dist-packages")
    ours = [Path(entry) for entry in sys.path if Path(entry).name in names]
    return [] if card.environment is not None else ours


def search_path(card: SystemCard) -> list[Path]:
    """Folders where a worker looks for packages after its own Python's."""
    own = [package_folder(card).parent] if is_installed(card) else []
    return [*site_folders(card), *own]


def is_installed(card: SystemCard) -> bool:
    """Whether a system is a part of a package that is installed beside membench."""
    return card.package is not None and not card.built_in and card.environment is None


def package_folder(card: SystemCard) -> Path:
    """The folder of the system, or of the whole package that it is a part of."""
    if card.package is None or not is_installed(card):
        return card.folder
    return (card.folder, *card.folder.parents)[card.package.count(".")]


def rules(card: SystemCard, context: SystemContext, folder: Path) -> Ruleset:
    """The rules for one fork server and its workers; whoever asks closes them.

    Args:
        card: The system.
        context: Its models: the ports that it may connect to.
        folder: The server's folder: `code` is read, and in `case` it may do everything.

    Raises:
        landlockpy.LandlockError: This kernel does not have them.
    """
    from landlockpy import AccessFS, AccessNet, Ruleset, Scope

    read = AccessFS.READ_FILE | AccessFS.READ_DIR | AccessFS.EXECUTE
    write = AccessFS.READ_FILE | AccessFS.WRITE_FILE | AccessFS.TRUNCATE | AccessFS.IOCTL_DEV
    limits = card.worker
    open_network = limits.network or limits.servers
    connect = AccessNet.CONNECT_TCP | AccessNet.CONNECT_SEND_UDP
    made = Ruleset(
        handled_net=AccessNet.NONE if open_network else connect,
        scoped=Scope.ABSTRACT_UNIX_SOCKET | Scope.SIGNAL,
    )
    for root in (*readable_roots(card), *search_path(card)):
        made.allow_path(root, AccessFS.READ_DIR)
    for path in readable(card):
        made.allow_path(path, read if path.is_dir() else read & ~AccessFS.READ_DIR)
    for path in devices(shared_memory=limits.servers):
        made.allow_path(path, made.handled_fs if path.is_dir() else write)
    made.allow_path(folder / "code", read)
    made.allow_path(folder / "case", made.handled_fs)
    for port in ports(context):
        made.allow_port(port, AccessNet.CONNECT_TCP)
    return made


def readable(card: SystemCard) -> Iterator[Path]:
    """Every path that a worker may read: of membench the ranks of its tokenizer, and `LINKED`."""
    for root in readable_roots(card):
        yield from outside(root, PACKAGE)
    yield from (path for name in SETTINGS if (path := Path("/etc", name)).exists())
    yield from (card.folder, TOKENS)
    yield from () if card.environment else LINKED
    if card.worker.network and RESOLVER.exists():
        yield RESOLVER


def outside(root: Path, hidden: Path) -> Iterator[Path]:
    """A folder without a folder below it: itself where that is elsewhere, else its neighbours."""
    if not hidden.is_relative_to(root):
        yield root
        return
    for entry in root.iterdir() if hidden != root else ():
        yield from outside(entry, hidden)


def devices(*, shared_memory: bool) -> Iterator[Path]:
    """Devices that are read and written; shared memory only for those with servers."""
    root = Path("/dev")
    for name in (*DEVICES, *ACCELERATORS):
        yield from root.glob(name)
    if shared_memory and SHARED_MEMORY.is_dir():
        yield SHARED_MEMORY


def ports(context: SystemContext) -> Iterable[int]:
    """Ports of the lane's endpoints."""
    urls = (urlsplit(endpoint.base_url) for endpoint in context.models.values())
    return {url.port for url in urls if url.port is not None}
