"""Nobody reads: a run of retrieval alone."""

from membench.readers.card import ReaderCard

READER = ReaderCard("none", "none", "Answers nothing: what was recalled is scored alone.", None)
