"""When to stop asking a model: after the first few refusals for one and the same cause.

A wrong key, a spent quota, an address where nothing listens: every further question would fare
like the first. A model that has answered before is believed to come back after a broken connection
or to refuse single requests only.
"""

from __future__ import annotations

from dataclasses import dataclass

from membench.domain.errors import ModelUnusable
from membench.llm.replies import CallFault

FEW = 3
"""Equal refusals in a row, without any reply between them, after which a model is given up."""
ALWAYS = frozenset({401, 402, 403})
"""Statuses that no later request gets around, whatever was answered before."""
REMEDIES = {
    400: "The model refuses these requests as they are: see its words.",
    401: "Set the right key, and name its variable: --model-set api_key_env=NAME (a server of your "
    "own is sent none unless it is named).",
    402: "Top up the account, or name another model.",
    403: "The key may not use this model: allow it, or name another.",
    404: "Check the address (--base-url, most end in /v1) and the model's name.",
    405: "Check the address: --base-url, most end in /v1.",
    429: "The quota is used up: raise it, or name another model.",
}
ELSEWHERE = "Check the address: --base-url."


@dataclass
class Patience:
    """How often in a row one model was refused for one cause.

    Attributes:
        role: Whose model.
        model: Its name.
        answered: Whether it ever gave a usable reply.
    """

    role: str
    model: str
    answered: bool = False
    cause: str = ""
    count: int = 0

    def reply(self) -> None:
        """A usable reply came."""
        self.answered, self.cause, self.count = True, "", 0

    def refusal(self, fault: CallFault, given_up: bool) -> None:
        """An attempt came to nothing.

        Args:
            fault: Why.
            given_up: Whether it will not be tried again.

        Raises:
            ModelUnusable: It is of no use to go on.
        """
        if not self._hopeless(fault, given_up):
            return
        if fault.detail != self.cause:
            self.cause, self.count = fault.detail, 0
        self.count += 1
        if self.count >= FEW:
            raise self.stop(fault)

    def _hopeless(self, fault: CallFault, given_up: bool) -> bool:
        """Whether a refusal says something about the next call, too."""
        if fault.status in ALWAYS or (fault.status == 429 and fault.refused):
            return True
        return fault.refused and (given_up or not self.answered) and not (
            self.answered and fault.status in (400, 404, 422)
        )  # fmt: skip

    def stop(self, fault: CallFault) -> ModelUnusable:
        """What is raised, with the cause and what helps."""
        remedy = fault.remedy or REMEDIES.get(fault.status, ELSEWHERE)
        return ModelUnusable(
            f"the {self.role} model '{self.model}' cannot be used: {fault.detail} "
            f"({self.count} times in a row)",
            remedy,
            fault.reason,
        )
