"""An agent behind an OpenAI-compatible chat URL."""

from __future__ import annotations

import http.client
import os
from collections.abc import Mapping, Sequence

import orjson

from membench.adapters.parts.http import Connection
from membench.domain.errors import Reason, SystemFault, UsageError


class ServerAgent:
    """Posts every conversation to `/chat/completions`."""

    def __init__(self, url: str, model: str, key_variable: str, timeout_s: float) -> None:
        """Connect; nothing is said yet.

        Raises:
            UsageError: Not a URL, or the variable that should hold the key is not set.
            SystemFault: No connection.
        """
        headers = {}
        if key_variable:
            if not os.environ.get(key_variable):
                raise UsageError(f"--set key_variable={key_variable}: ${key_variable} is not set")
            headers["Authorization"] = f"Bearer {os.environ[key_variable]}"
        self.connection = Connection(url, timeout_s, headers)
        self.model = model
        try:
            self.connection.connect()
        except OSError as error:
            detail = f"{url}: {type(error).__name__}: {error}"
            raise SystemFault(Reason.SYSTEM_CRASH, detail) from error

    def say(self, user: str, messages: Sequence[Mapping[str, str]]) -> str:
        """The agent's reply.

        Raises:
            SystemFault: No connection, no reply in time, or a reply without words.
        """
        body = orjson.dumps({"model": self.model, "user": user, "messages": messages})
        try:
            reply = self.connection.post("/chat/completions", body)
        except TimeoutError as error:
            raise SystemFault(Reason.SYSTEM_TIMEOUT, str(error)) from error
        except (OSError, http.client.HTTPException) as error:
            detail = f"{type(error).__name__}: {error}"
            raise SystemFault(Reason.SYSTEM_CRASH, detail) from error
        if not reply.ok:
            raise SystemFault(Reason.SYSTEM_ERROR, reply.excerpt())
        try:
            text = orjson.loads(reply.body)["choices"][0]["message"]["content"]
        except (orjson.JSONDecodeError, LookupError, TypeError) as error:
            raise SystemFault(Reason.SYSTEM_BAD_REPLY, "no chat completion") from error
        if not isinstance(text, str):
            raise SystemFault(Reason.SYSTEM_BAD_REPLY, "the message has no words")
        return text

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
