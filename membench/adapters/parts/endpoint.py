"""One of the run's models over HTTP: the OpenAI protocol, one kept connection, typed faults.

The endpoint is the run's gateway, which meters, retries and replays; so nothing is retried here
but a kept connection that turns out to be closed.
"""

from __future__ import annotations

import http.client

import orjson

from membench.adapters.parts.http import Connection, HttpReply
from membench.domain.errors import ProviderFault, Reason, UsageError
from membench.domain.labels import JsonObject, Role
from membench.domain.system import SystemContext

TIMEOUT_S = 600.0
"""The gateway has time limits of its own; this one only ends a connection that died unnoticed."""

REASON_HEADER = "x-membench-reason"
"""Where the gateway says in our failure vocabulary why a call failed."""

_REASONS = {
    408: Reason.PROVIDER_TIMEOUT,
    429: Reason.PROVIDER_RATE_LIMIT,
    504: Reason.PROVIDER_TIMEOUT,
}

FLAGS = {
    Role.MEMORY: "--memory-model",
    Role.EMBEDDER: "--embedder",
    Role.RERANKER: "--reranker",
}
"""How a run names the model of a role."""

_ARTICLES = {
    Role.MEMORY: "a memory model",
    Role.EMBEDDER: "an embedder",
    Role.RERANKER: "a reranker",
}


class Endpoint:
    """Posts requests to the model of a role.

    Raises:
        UsageError: The run has no model of the role.
    """

    def __init__(self, context: SystemContext, role: Role) -> None:
        """Nothing is called yet."""
        if role not in context.models:
            raise UsageError(
                f"this system needs {_ARTICLES.get(role, f'a {role}')}",
                f"Name one with {FLAGS.get(role, role)}; `membench models list` shows local ones.",
            )
        self.model = context.models[role]
        authorization = {"Authorization": f"Bearer {self.model.api_key}"}
        self._connection = Connection(self.model.base_url, TIMEOUT_S, authorization)

    def post(self, path: str, body: JsonObject) -> bytes:
        """The body of a successful reply; the model's name is filled in.

        Raises:
            ProviderFault: The endpoint failed.
        """
        what = path.strip("/")
        try:
            reply = self._connection.post(path, orjson.dumps({"model": self.model.model, **body}))
        except TimeoutError as error:
            raise ProviderFault(Reason.PROVIDER_TIMEOUT, f"{what}: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            raise ProviderFault(
                Reason.PROVIDER_ERROR, f"{type(error).__name__}: {error}"
            ) from error
        if not reply.ok:
            raise _refusal(what, reply)
        return reply.body

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _refusal(what: str, reply: HttpReply) -> ProviderFault:
    """The gateway says the reason; other endpoints only have a status."""
    said = reply.headers.get(REASON_HEADER, "")
    by_status = _REASONS.get(reply.status, Reason.PROVIDER_ERROR)
    reason = Reason(said) if said in set(Reason) else by_status
    return ProviderFault(reason, f"{what}: {reply.excerpt()}")
