"""The hash of a tier's content, the same in every layout that it is published in."""

from __future__ import annotations

import hashlib
import json

from membench.tasks.beam.layouts import Chat, chats, natural
from membench.tasks.beam.loader import batches, messages
from membench.tasks.files.source import Source


def content_sha256(source: Source) -> str:
    """Hash of what is played and what is scored: messages by batch, and the questions.

    Raises:
        DataError: A file cannot be read or is not what its name says.
    """
    found = {chat.case_id: digest(chat) for chat in chats(source)}
    names = sorted(found, key=lambda name: natural(name.rpartition("/")[2]))
    return hashlib.sha256("".join(found[name] for name in names).encode()).hexdigest()


def digest(chat: Chat) -> str:
    """Hash of one chat."""
    said = [
        [
            [message.object().get(key) for key in ("role", "id", "time_anchor", "content")]
            for message in messages(batch)
        ]
        for batch in batches(chat.messages)
    ]
    text = json.dumps([said, chat.questions.value], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
