"""What makes a worker repeatable and keeps it to itself.

Ids and random numbers come from the seed and the case. An audit hook sees every connection and
every file that Python code opens: connections to anything but the lane's endpoints (and, for
systems with servers, this machine) are refused and noted; files written outside the case's folder
are noted; rights, times and attributes of files outside it, which Landlock does not know, are not
changed: they would outlive the case. Code that is not Python is outside its reach, which is why
conformance looks again from outside.
"""

from __future__ import annotations

import errno
import os
import random
import socket
import sys
import uuid
from collections.abc import Iterable
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import find_spec
from types import ModuleType
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
ATTRIBUTES = ("os.chmod", "os.chown", "os.utime", "os.setxattr", "os.removexattr")
"""Events of changes to a file that Landlock lets pass."""
NOT_FILES = ("/dev/", "/proc/")
NUMPY_GENERATORS = "numpy.random"


class SeededIds:
    """Stands in for the functions of `uuid`; the same ids for the same seed and case."""

    def __init__(self) -> None:
        """Replace them for whoever imports `uuid` from now on."""
        self._random = random.Random(0)
        self._numpy = SeededNumpy()
        for version in (1, 4, 6, 7):
            name = f"uuid{version}"
            if hasattr(uuid, name):
                setattr(uuid, name, self._maker(version))

    def seed(self, seed: int, case: str) -> None:
        """Start the sequence of a case, here and in `random` and numpy."""
        text = f"{seed}:{case}"
        self._random.seed(text)
        random.seed(text)
        self._numpy.seed(random.Random(text).getrandbits(32))

    def _maker(self, version: int) -> Any:
        def make(*_: object, **__: object) -> uuid.UUID:
            bits = self._random.getrandbits(128)
            bits = bits & ~(0xF << 76) | version << 76
            return uuid.UUID(int=bits & ~(0x3 << 62) | 0x2 << 62)

        return make


class SeededNumpy:
    """Seeds numpy's global generator: now if it has been imported, else as soon as it is.

    NumPy imports its generators when they are first used, which most systems never do.
    """

    def __init__(self) -> None:
        """Become the first of the finders of modules."""
        self._seed = 0
        sys.meta_path.insert(0, self)

    def seed(self, seed: int) -> None:
        """Start the sequence, 0 <= seed < 2**32."""
        self._seed = seed
        generators = sys.modules.get(NUMPY_GENERATORS)
        if generators is not None:
            generators.seed(seed)

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """How a module is loaded (`importlib.abc.MetaPathFinder`); None leaves it to the others."""
        if name != NUMPY_GENERATORS:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            spec.loader = SeedingLoader(name, spec.origin, self._seed)
        return spec


class SeedingLoader(SourceFileLoader):
    """Loads a module from its file and calls its `seed`."""

    def __init__(self, name: str, path: str, seed: int) -> None:
        """Nothing is read yet."""
        super().__init__(name, path)
        self._seed = seed

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then seed it."""
        super().exec_module(module)
        module.seed(self._seed)


class Sandbox:
    """The audit hook.

    Args:
        folder: The case's folder.
        network: Whether every connection is allowed (declared in system.toml).
        servers: Whether connections to any port of this machine are allowed.

    Attributes:
        refused: Connections and look-ups that were refused, as `host:port`.
        outside: Files opened for writing outside the folder.
    """

    def __init__(self, folder: str, *, network: bool, servers: bool) -> None:
        """Nothing is watched before `close`."""
        self.refused: set[str] = set()
        self.outside: set[str] = set()
        self._folder = folder.rstrip("/") + "/"
        self._network = network
        self._servers = servers
        self._ports: set[int] = set()
        self._hostname = socket.gethostname()

    def close(self) -> None:
        """Watch from now on; there is no way back."""
        sys.addaudithook(self._audit)

    def allow(self, ports: Iterable[int]) -> None:
        """Let connections to these ports of this machine pass: the lane's endpoints."""
        self._ports.update(ports)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._note_open(*arguments)
        elif event.startswith("socket."):
            self._check_socket(event, arguments)
        elif event in ("os.mkdir", "sqlite3.connect"):
            self._note_path(arguments[0])
        elif event in ATTRIBUTES and self._note_path(arguments[0]):
            raise PermissionError(errno.EPERM, f"membench: {event} outside the case's folder")

    def _note_open(self, path: object, mode: str | None, flags: int | None) -> None:
        writes = bool(flags and flags & WRITING) or bool(mode and set(mode) & set("wax+"))
        if writes:
            self._note_path(path)

    def _note_path(self, path: Any) -> bool:
        """Note a path that is changed; whether it lies outside the folder."""
        if isinstance(path, int) or not isinstance(path, str | bytes | os.PathLike):
            return False
        text = os.fsdecode(path)
        if text in ("", ":memory:"):
            return False
        full = os.path.realpath(text)
        if (full + "/").startswith(self._folder) or full.startswith(NOT_FILES):
            return False
        self.outside.add(full)
        return True

    def _check_socket(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._network:
            return
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            address = arguments[1]
            if isinstance(address, tuple) and not self._may_reach(str(address[0]), address[1]):
                self._refuse(f"{address[0]}:{address[1]}")
        elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
            host = arguments[0]
            name = host.decode() if isinstance(host, bytes) else host
            if name and not _is_loopback(name) and name != self._hostname:
                self._refuse(name)

    def _may_reach(self, host: str, port: int) -> bool:
        return _is_loopback(host) and (self._servers or port in self._ports)

    def _refuse(self, where: str) -> None:
        self.refused.add(where)
        raise OSError(errno.ENETUNREACH, f"membench: no network but the lane ({where})")


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
