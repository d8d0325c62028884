"""An agent that remembers by itself: told the sessions, asked in a conversation of its own.

Nothing is recalled from outside: the agent's answer is the answer (`protocol = "answer-only"`), and
retrieval cannot be scored. A case is a user; the agent must keep one memory per user and nothing
of one user may reach another.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from membench.adapters.systems.remote.chat_agent.lines import CommandAgent
from membench.adapters.systems.remote.chat_agent.server import ServerAgent
from membench.domain.answer import Answer
from membench.domain.case import CaseInfo, Item, Session
from membench.domain.errors import UsageError
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

Message = Mapping[str, str]
TELL = "This is a conversation that took place{date}. Remember it.\n\n{turns}"
NOTE = "Remember this{date}: {text}"
ASK = "{date}{question}\nAnswer from what you remember, as briefly as you can."


class Agent(Protocol):
    """Whatever takes a conversation and says the next message."""

    def say(self, user: str, messages: list[Message]) -> str:
        """The agent's reply."""

    def close(self) -> None:
        """Leave it."""


class ChatAgent:
    """An agent behind a URL or a command."""

    def __init__(self, context: SystemContext) -> None:
        """Check the parameters; nothing is started or called yet."""
        self.given = {name: str(value) for name, value in context.parameters.items()}
        self.timeout_s = float(context.parameters["timeout_s"])
        self.workdir: Path = context.workdir
        if bool(self.given["command"]) == bool(self.given["url"]):
            raise UsageError(
                "a chat agent needs either a url or a command",
                "--set url=http://127.0.0.1:8000/v1 or --set command='my-agent --stdio'",
            )
        self.agent: Agent | None = None
        self.user = ""

    def reset(self, case: CaseInfo) -> None:
        """A new user; a command is started anew."""
        self.close()
        self.user = f"{case.id}-{uuid.uuid4().hex[:12]}"
        if self.given["command"]:
            self.agent = CommandAgent(self.given["command"], self.workdir, self.timeout_s)
        else:
            self.agent = ServerAgent(
                self.given["url"], self.given["model"], self.given["key_variable"], self.timeout_s
            )

    def ingest(self, session: Session) -> list[MemoryChange] | None:
        """Tell a session; what the agent keeps of it is not known."""
        if not session.turns:
            return []
        turns = "\n".join(turn.text for turn in session.turns)
        self._say(TELL.format(date=on(session.time), turns=turns))
        return None

    def remember(self, item: Item) -> list[MemoryChange] | None:
        """Tell one thing."""
        self._say(NOTE.format(date=on(item.time), text=item.text))
        return None

    def recall(self, query: Query) -> list[Memory]:
        """Nothing: what an agent remembers cannot be seen from outside."""
        return []

    def answer(self, query: Query) -> Answer:
        """Ask in a conversation that holds the question alone."""
        date = f"Today is {query.now:%A, %d %B %Y, %H:%M}. " if query.now else ""
        return Answer(self._say(ASK.format(date=date, question=query.text)))

    def close(self) -> None:
        """Leave the agent; one that was started here is stopped."""
        if self.agent is not None:
            self.agent.close()
            self.agent = None

    def _say(self, text: str) -> str:
        assert self.agent is not None, "reset comes first"
        return self.agent.say(self.user, [{"role": "user", "content": text}])


def on(time: datetime | None) -> str:
    """A date in words, empty without one."""
    return f" on {time:%A, %d %B %Y, %H:%M}" if time else ""
