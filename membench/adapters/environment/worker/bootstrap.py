"""What the environment's Python is started with: `python bootstrap.py CONFIG`.

CONFIG is JSON and holds no secret (it shows in the process table). The folder above `membench`
holds nothing but what an adapter may see; it goes in front of the environment's own packages.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> int:
    """Fork supervisor and fork server.

    Returns:
        The exit status.
    """
    config = json.loads(sys.argv[1])
    sys.path.insert(0, config["code"])
    sys.path += [entry for entry in config["path"] if entry not in sys.path]
    from membench.adapters.environment.worker.supervisor import SupervisorConfig, supervise

    names = SupervisorConfig.__dataclass_fields__
    own = SupervisorConfig(**{name: config[name] for name in names})
    return supervise(own, lambda: _work(config))


def _work(config: dict[str, object]) -> None:
    from membench.adapters.environment.worker.fork_server import run

    os.chdir(str(config["cwd"]))
    run(config)


if __name__ == "__main__":
    sys.exit(main())
