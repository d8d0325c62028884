"""Every other provider, through litellm's translation."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from membench.domain.errors import ProviderFault, Reason
from membench.llm import openai_protocol

if TYPE_CHECKING:
    pass
from membench.llm.upstreams.base import EVENTS, BaseUpstream, Reply, retry_after


@dataclass
class LitellmUpstream(BaseUpstream):
    """Any provider that litellm translates; credentials are read by litellm from the environment.

    Attributes:
        model: litellm's name of the model.
        api_base: Another address of the provider, if not its own.
    """

    model: str
    api_base: str | None = None

    async def send(self, endpoint: str, body: openai_protocol.Body) -> Reply:
        """Translate, send, translate back. A stream is made of the finished reply."""
        calls = _litellm_calls()
        wish = {
            key: value for key, value in body.items() if key not in ("stream", "stream_options")
        }
        if self.api_base:
            wish["api_base"] = self.api_base
        try:
            reply = await calls[endpoint](**{**wish, "model": self.model}, max_retries=0)
        except Exception as error:
            return _litellm_error(error)
        content = reply.model_dump(mode="json", exclude_none=False)
        if not body.get("stream"):
            return Reply(orjson.dumps(content))
        if endpoint == openai_protocol.RESPONSES:
            return Reply(
                openai_protocol.response_sse(openai_protocol.response_events(content)), EVENTS
            )
        return Reply(
            openai_protocol.chat_sse(openai_protocol.chat_chunks(content, include_usage=True)),
            EVENTS,
        )

    async def close(self) -> None:
        """Close the connections that litellm keeps, if it was ever needed."""
        litellm = sys.modules.get("litellm")
        if litellm is not None:
            await litellm.close_litellm_async_clients()


def _litellm_calls() -> dict[str, Any]:
    """The functions of litellm by endpoint; imported on first use, with its local price map."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.drop_params = True
    logging.getLogger("LiteLLM").setLevel(logging.ERROR)
    return {
        openai_protocol.CHAT: litellm.acompletion,
        openai_protocol.RESPONSES: litellm.aresponses,
        openai_protocol.EMBEDDINGS: litellm.aembedding,
        openai_protocol.RERANK: litellm.arerank,
    }


def _litellm_error(error: Exception) -> Reply:
    """The reply that an error of litellm stands for.

    Raises:
        ProviderFault: It is a timeout.
    """
    import litellm

    if isinstance(error, litellm.Timeout):
        raise ProviderFault(Reason.PROVIDER_TIMEOUT, "timeout") from None
    status = getattr(error, "status_code", None)
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or {}
    body = openai_protocol.error_body(str(error), type(error).__name__, "provider_error")
    return Reply(
        orjson.dumps(body),
        status=status if isinstance(status, int) and status >= 400 else 500,
        retry_after=retry_after(headers.get("retry-after")),
    )
