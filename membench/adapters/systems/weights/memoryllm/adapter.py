"""MemoryLLM (arXiv:2402.04624): what is told becomes tokens of a pool inside every layer.

A piece of text is written into the pool by a forward pass, which drops a random part of what is
there. Nothing is stored as text, so that nothing can be recalled: the model answers by itself.
The authors' code and weights lie in folders of the user's; neither is part of membench.
"""

from __future__ import annotations

import importlib
import math
import sys
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any

from membench.adapters.environment.worker.texts import dated, stamp
from membench.domain.answer import Answer
from membench.domain.case import CaseInfo, Item, Session
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

POOL = ("memory", "initialized")
"""Names of what the model remembers with."""

FEWEST = 16
"""Tokens of a text below which writing it disturbs the pool, as the authors say."""

COMPLETION = "{date}Question: {question} Answer:"


class MemoryLlm:
    """Writes into the model's own memory."""

    def __init__(self, context: SystemContext) -> None:
        """Load the weights with the authors' code."""
        self.given = context.parameters
        self.seed = context.seed
        import torch
        import transformers

        self.torch: Any = torch
        self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(str(self.given["weights"]))
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        exact = torch.bfloat16 if self.device == "cuda" else torch.float32
        loaded = self._model_class().from_pretrained(
            str(self.given["weights"]), attn_implementation="sdpa", torch_dtype=exact
        )
        self.model: Any = loaded.to(self.device).eval()
        self.empty = self._pool()

    def reset(self, case: CaseInfo) -> None:
        """The pool as it was released; what is dropped from it depends on the case and the seed."""
        self._put_pool(self.empty)
        self.torch.manual_seed(zlib.crc32(f"{self.seed}/{case.id}".encode()))

    def ingest(self, session: Session) -> list[MemoryChange] | None:
        """Write a session into the pool, piece by piece, each under the session's date."""
        self._write("\n".join(turn.text for turn in session.turns), session.time)
        return None

    def remember(self, item: Item) -> list[MemoryChange] | None:
        """Write one text into the pool."""
        self._write(item.text, item.time)
        return None

    def recall(self, query: Query) -> list[Memory]:
        """Nothing: what the pool holds cannot be read."""
        return []

    def answer(self, query: Query) -> Answer:
        """What the model says to the question alone; of a completion, its first line."""
        prompt = self._prompt(query).to(self.device)
        with self.torch.no_grad():
            said = self.model.generate(
                input_ids=prompt, max_new_tokens=int(self.given["answer_tokens"]), do_sample=False
            )
        text = str(self.tokenizer.decode(said[0, prompt.shape[1] :], skip_special_tokens=True))
        return Answer(text.strip() if self.given["chat"] else text.strip().partition("\n")[0])

    def store_bytes(self) -> int:
        """Bytes of the pool, the same however much was told."""
        return sum(held.numel() * held.element_size() for held in self._pool().values())

    def snapshot(self, folder: Path) -> None:
        """Save the pool."""
        state = {"pool": self._pool(), "random": self.torch.get_rng_state()}
        self.torch.save(state, folder / "pool.pt")

    def restore(self, folder: Path) -> None:
        """Remember with the saved pool."""
        state = self.torch.load(folder / "pool.pt")
        self._put_pool(state["pool"])
        self.torch.set_rng_state(state["random"])

    def close(self) -> None:
        """Let the model go."""
        self.model = None

    def _model_class(self) -> Any:
        """The authors' class, out of their folder."""
        sys.path.insert(0, str(self.given["code"]))
        return importlib.import_module("modeling_memoryllm").MemoryLLM

    def _pool(self) -> dict[str, Any]:
        return {name: getattr(self.model, name).detach().cpu().clone() for name in POOL}

    def _put_pool(self, pool: dict[str, Any]) -> None:
        for name, held in pool.items():
            getattr(self.model, name).data = held.clone().to(self.device)

    def _write(self, text: str, time: datetime | None) -> None:
        for piece in self._pieces(text, dated("", time)):
            with self.torch.no_grad():
                self.model.inject_memory(piece.to(self.device), update_memory=True)

    def _pieces(self, text: str, date: str) -> list[Any]:
        """Token ids of a text in pieces, each under the date; none of them too short.

        What is left for the last piece joins the one before where it is short; a text that is
        short as a whole is said again until it is long enough.
        """
        head, body = self._ids(date), self._ids(text)
        if not body:
            return []
        size = max(int(self.given["piece_tokens"]) - len(head), FEWEST)
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        if len(pieces) > 1 and len(pieces[-1]) < FEWEST:
            pieces[-2:] = [pieces[-2] + pieces[-1]]
        times = [max(math.ceil((FEWEST - len(head)) / len(piece)), 1) for piece in pieces]
        return [
            self.torch.tensor([head + piece * n]) for piece, n in zip(pieces, times, strict=True)
        ]

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def _prompt(self, query: Query) -> Any:
        """Token ids of the question, without the mark of a beginning: the model has its own."""
        date = f"Today is {stamp(query.now)}. " if query.now else ""
        if not self.given["chat"]:
            text = COMPLETION.format(date=date, question=query.text)
            return self.torch.tensor([self._ids(text)])
        asked = [{"role": "user", "content": f"{date}{query.text}"}]
        text = self.tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
        ids = self._ids(text)
        return self.torch.tensor([ids[1:] if ids[:1] == [self.tokenizer.bos_token_id] else ids])
