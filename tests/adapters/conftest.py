"""What the adapter tests share: a way to create a system, and histories to give it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from membench.adapters.registry import checked_parameters, create, get_card
from membench.domain.system import SystemContext
from membench.tokens import count_tokens


@pytest.fixture
def system(tmp_path: Path) -> Callable[..., Any]:
    """`system("bm25", tokenizer="stem")`: a fresh instance, parameters as on the command line."""

    def make(name: str, seed: int = 0, **given: Any) -> Any:
        card = get_card(name)
        parameters = checked_parameters(card, given)
        return create(card, SystemContext(parameters, seed, tmp_path, count_tokens))

    return make
