"""Whatever the system answered in its own `answer(query)` while it was played."""

from membench.readers.card import ReaderCard

READER = ReaderCard("system", "system", "The system's own answers, as it was played.", None)
