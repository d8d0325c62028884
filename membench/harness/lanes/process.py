"""The main loop of a lane process: `python -m membench.harness.lanes.process PIPE LIFE`.

`PIPE` is the descriptor of a connection to the parent; the first message is the worker, the lane's
site and whether records are relayed; then jobs follow, then None. `LIFE` is the read end of a pipe
whose other end only the parent holds: when it closes, the parent is gone and the lane leaves at
once, in whatever call it is.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from membench.harness.lanes.relay import Relay
from membench.records.journal import DiskFull


def work(pipe: Connection[Any, Any]) -> None:
    """Serve one parent until it sends None."""
    worker, site, relayed = pipe.recv()
    if relayed:
        site = replace(site, journal=partial(Relay, pipe))
    lane = None
    try:
        lane = worker.open(site)
        pipe.send(("ready", None))
        while (job := pipe.recv()) is not None:
            pipe.send(("done", lane.handle(job)))
    except EOFError:
        pass
    except DiskFull as error:
        pipe.send(("disk_full", error.path))
    except Exception as error:
        pipe.send(("error", f"{type(error).__name__}: {error}"))
    finally:
        if lane is not None:
            with suppress(EOFError, BrokenPipeError):  # the parent no longer reads the pipe
                lane.close()


def end_with_parent(life: int) -> None:
    """Wait until the parent is gone, then leave."""
    os.read(life, 1)
    os._exit(1)


def main() -> None:
    """Entry point."""
    pipe, life = (int(argument) for argument in sys.argv[1:3])
    threading.Thread(target=end_with_parent, args=(life,), daemon=True).start()
    work(Connection(pipe))


if __name__ == "__main__":
    main()
