"""Parameters that a model refuses: understood once, left out or renamed from then on.

A refusal names what it does not accept: a reasoning model wants no `temperature`, a newer API wants
`max_completion_tokens`, a local server knows no `json_schema`. The request is sent again without
it, and every later request to that model likewise. What was changed is noted in the manifest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from membench.domain.labels import JsonView
from membench.llm import openai_protocol
from membench.llm.replies import CallFault

LIMITS = ("max_tokens", "max_completion_tokens")
"""Two names of one thing: what refuses one takes the other."""
OPTIONAL = (
    "temperature",
    "top_p",
    "seed",
    "stop",
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "top_logprobs",
    "parallel_tool_calls",
    "reasoning_effort",
    "stream_options",
)
"""What a request can do without; messages and tools it cannot."""
FORMAT = "response_format"
FORMAT_WORDS = re.compile(r"response[_ ]format|json[_ ](?:schema|object)|structured|grammar|guided")
STATUS = (400, 422)
OTHER_CAUSES = ("context_length", "context length", "context window")


@dataclass
class ParameterChange:
    """What is done about a parameter that a model refuses.

    Attributes:
        instead: `left out`, or what takes its place.
        requests: Requests that were changed so.
    """

    instead: str
    requests: int = 0


@dataclass
class RefusedParameters:
    """What one model refuses, as far as it is known.

    Attributes:
        changes: What is done instead, by parameter.
    """

    changes: dict[str, ParameterChange] = field(default_factory=dict)

    def sent(self, request: JsonView) -> openai_protocol.Body:
        """A request as it is to be sent; what is changed in it is counted."""
        body = self.fitted(request)
        for name, change in self.changes.items():
            change.requests += name in request and body.get(name) != request[name]
        return body

    def fitted(self, request: JsonView) -> openai_protocol.Body:
        """A request without what the model refuses."""
        body = dict(request)
        for name, change in self.changes.items():
            if name not in body:
                continue
            if name == FORMAT:
                self._fit_format(body, change.instead)
            else:
                value = body.pop(name)
                if change.instead in LIMITS:
                    body.setdefault(change.instead, value)
        return body

    def _fit_format(self, body: openai_protocol.Body, instead: str) -> None:
        """The strongest form of structured output that is not refused."""
        if instead == "json_object" and openai_protocol.requested_schema(body) is not None:
            body[FORMAT] = {"type": "json_object"}
        elif instead != "json_object":
            del body[FORMAT]

    def learn(self, fault: CallFault, sent: JsonView) -> bool:
        """Understand a refusal.

        Args:
            fault: The refusal.
            sent: The request as it was sent.

        Returns:
            Whether sending it again, fitted, is another request than before.
        """
        if fault.status not in STATUS:
            return False
        said = f"{fault.words} {fault.body.decode(errors='replace')}".lower()
        if any(cause in said for cause in OTHER_CAUSES):
            return False
        if self.fitted(sent) != sent:  # another call has learnt it meanwhile
            return True
        if FORMAT in sent and FORMAT_WORDS.search(said):
            return self._weaker_format(sent)
        return self._named(said, sent)

    def _change(self, name: str, instead: str) -> None:
        """Do something else about a parameter from now on."""
        before = self.changes.get(name)
        self.changes[name] = ParameterChange(instead, before.requests if before else 0)

    def _weaker_format(self, sent: JsonView) -> bool:
        """json_schema, then json_object, then none."""
        strict = openai_protocol.requested_schema(sent) is not None
        self._change(FORMAT, "json_object" if strict else "left out")
        return True

    def _named(self, said: str, sent: JsonView) -> bool:
        """Leave out, or rename, the parameter that a refusal names."""
        for name in LIMITS:
            (other,) = set(LIMITS) - {name}
            if name in sent and _names(said, name) and other not in self.changes:
                self._change(name, other)
                return True
        for name in OPTIONAL:
            if name in sent and _names(said, name):
                self._change(name, "left out")
                return True
        return False


def _names(said: str, parameter: str) -> bool:
    """Whether a text holds a parameter's name as a word of its own."""
    return re.search(rf"(?<![a-z_]){parameter}(?![a-z_])", said) is not None
