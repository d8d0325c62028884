"""MemoryLLM: a pool of memory tokens is written, fades at random, and answers; nothing is recalled.

The authors' code and weights are not here. A small module of random weights with the methods of
their class stands in for it: what is held is the adapter, its pieces, seeds, snapshots, answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from native import CASE, talk

from membench.adapters.registry import checked_parameters, get_card
from membench.domain.case import CaseInfo, Item
from membench.domain.system import Query, SystemContext
from membench.testing.conformance import check

pytestmark = [pytest.mark.slow, pytest.mark.model, pytest.mark.filterwarnings("ignore")]

DAY = "2024-01-01T09:00"
STAND_IN = """
import torch

BLOCKS, TOKENS, WIDTH = 5, 4, 8


class MemoryLLM(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.words = torch.nn.Embedding(260, WIDTH)
        pool = torch.randn(2, BLOCKS * TOKENS, WIDTH)
        self.memory = torch.nn.Parameter(pool, requires_grad=False)
        self.register_buffer("initialized", torch.tensor(1, dtype=torch.uint8))
        self.written = []

    @classmethod
    def from_pretrained(cls, folder, attn_implementation, torch_dtype):
        torch.manual_seed(1)
        return cls()

    def inject_memory(self, ids, update_memory):
        assert ids.shape[1] >= 16
        self.written.append(ids.shape[1])
        size = self.memory.shape[1]
        left = torch.randperm(size)[: size - TOKENS].sort()[0]
        told = self.words(ids[0]).mean(0).detach().expand(2, TOKENS, WIDTH)
        self.memory.data = torch.cat([self.memory.data[:, left], told], dim=1)

    def generate(self, input_ids, max_new_tokens, do_sample):
        asked = self.words(input_ids[0]).mean(0) + self.memory.mean((0, 1))
        said = (self.words.weight @ asked).topk(3).indices
        return torch.cat([input_ids, said[None]], dim=1)
"""
CHAT = "{{ bos_token }}{% for m in messages %}{{ m['content'] }} {% endfor %}"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A folder with the stand-in, and one with a tokenizer of a few words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    code, weights = tmp_path_factory.mktemp("code"), tmp_path_factory.mktemp("weights")
    (code / "modeling_memoryllm.py").write_text(STAND_IN)
    named = ("<s>", "</s>", "<unk>", *(f"w{n}" for n in range(250)))
    words = {word: n for n, word in enumerate(named)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    marks = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks)
    fast.chat_template = CHAT
    fast.save_pretrained(weights)
    return {"code": str(code), "weights": str(weights)}


@pytest.fixture
def system(folders: dict[str, str], tmp_path: Path) -> Iterator[Any]:
    made = make(folders, tmp_path)
    made.reset(CASE)
    yield made
    made.close()


def make(folders: dict[str, str], workdir: Path, **given: Any) -> Any:
    """The adapter in this process, whatever its environment would be."""
    from membench.adapters.systems.weights.memoryllm.adapter import MemoryLlm

    parameters = checked_parameters(get_card("memoryllm"), {**folders, "piece_tokens": 64, **given})
    return MemoryLlm(SystemContext(parameters, 0, workdir, len))


def pool(system: Any) -> Any:
    return system.model.memory.detach().clone()


LONG = " ".join(f"w{n}" for n in range(150))


def test_a_long_session_is_written_in_pieces_and_a_short_text_until_it_is_long_enough(
    system: Any,
) -> None:
    assert system.ingest(talk(0, LONG, day=DAY)) is None
    assert len(system.model.written) == 3
    assert max(system.model.written) <= 64 + 16
    system.remember(Item("i", "w1 w2"))
    assert 16 <= system.model.written[-1] < 32
    assert system.recall(Query("w1", 5)) == []


def test_each_piece_drops_a_part_of_the_pool_which_never_grows(system: Any) -> None:
    """The method forgets by construction: a fifth here, a fiftieth in the released model."""
    import torch

    before, size = pool(system), system.store_bytes()
    system.remember(Item("i", LONG[:150]))
    left = (pool(system)[0][:, None] == before[0][None]).all(-1).any(1).sum()
    assert int(left) == 16
    for n in range(40):
        system.remember(Item(str(n), LONG[:150]))
    assert not torch.isin(pool(system)[0, :, 0], before[0, :, 0]).all()
    assert system.store_bytes() == size


def test_what_is_dropped_depends_on_the_case_alone_and_a_case_begins_with_the_released_pool(
    system: Any,
) -> None:
    import torch

    released, pools = pool(system), []
    for case in ("a", "a", "b"):
        system.reset(CaseInfo(case, "test"))
        assert torch.equal(pool(system), released)
        system.ingest(talk(0, LONG, day=DAY))
        pools.append(pool(system))
    assert torch.equal(pools[0], pools[1])
    assert not torch.equal(pools[0], pools[2])


def test_answering_leaves_the_pool_as_it_was_and_a_saved_pool_comes_back(
    system: Any, tmp_path: Path
) -> None:
    import torch

    system.ingest(talk(0, LONG, day=DAY))
    held, query = pool(system), Query("w3", now=datetime(2024, 1, 2))
    said = system.answer(query)
    assert said.text
    assert torch.equal(pool(system), held)
    system.snapshot(tmp_path)
    system.ingest(talk(1, "w7 w8", day=DAY))
    assert not torch.equal(pool(system), held)
    system.restore(tmp_path)
    assert torch.equal(pool(system), held)
    assert system.answer(query) == said


def test_the_chat_model_gets_its_template_without_the_mark_of_a_beginning_the_other_a_completion(
    folders: dict[str, str], tmp_path: Path
) -> None:
    chat, plain = (make(folders, tmp_path, chat=chat) for chat in (True, False))
    asked = [system.tokenizer.decode(system._prompt(Query("w3"))[0]) for system in (chat, plain)]
    assert asked[0].split() == ["w3"]
    assert asked[1].split() == ["<unk>", "w3", "<unk>"]


def test_it_conforms_with_the_stand_in(folders: dict[str, str], tmp_path: Path) -> None:
    card = get_card("memoryllm")
    results = check(card, lambda: make(folders, tmp_path), parameters=folders, huge_turns=60)
    assert [result for result in results if result.status == "failed"] == []
