"""Serves one GGUF file in a process of its own; `server.LlamaServer` starts it.

Settings come as one line of JSON on standard input, so that no key shows in a list of processes.
Address, process id and the name of the file for a slot's state (see `examples`) go out as one line
on standard output; what the engine says goes to standard error.
The process ends when its parent does: the kernel is asked for a signal, and the end of standard
input says the same where it cannot be asked.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from membench.domain.labels import JsonObject
from membench.llm.upstreams.local.entry import EXAMPLES
from membench.llm.upstreams.local.llama import program


def engine_settings(given: JsonObject) -> Any:
    """The engine's parameters for a file, a number of slots, threads and a context."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = given["file"]
    parameters.model_alias = {given["name"]}
    parameters.n_ctx = given["context_length"] * given["slots"]
    parameters.n_parallel = given["slots"]
    parameters.cpuparams.n_threads = given["threads"]
    parameters.cpuparams_batch.n_threads = given["threads"]
    parameters.cache_prompt = given["cache_prompt"] is True
    parameters.cache_ram_mib = 0
    parameters.fit_params = False
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [given["key"]]
    parameters.ui = False
    parameters.endpoint_slots = False
    if given["cache_prompt"] == EXAMPLES:
        parameters.slot_save_path = program.STATES
    if given["chat_template"]:
        parameters.chat_template = given["chat_template"]
    return parameters


def main() -> None:
    """Load, say where, and wait for the end of standard input."""
    given = json.loads(sys.stdin.readline())
    program.follow_parent(given["parent"])
    server: Any = None
    keeps = given["cache_prompt"] == EXAMPLES
    state = os.memfd_create(EXAMPLES) if keeps else None  # gone with the process, however it ends
    if given["program"]:
        address, pid = program.start(given, state)
    else:
        import xllamacpp

        server = xllamacpp.Server(engine_settings(given))
        address, pid = server.listening_address, os.getpid()
    print(json.dumps({"address": address, "pid": pid, "state": state}), flush=True)  # noqa: T201
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
