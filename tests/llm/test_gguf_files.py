"""GGUF files are known by their head: what they are, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.domain.errors import DataError, UsageError
from membench.domain.labels import Role
from membench.llm.config import GatewayConfig, ModelSpec
from membench.llm.gateway import Gateway
from membench.llm.upstreams.local.llama.gguf import read_head
from membench.llm.upstreams.local.llama.model import template_text
from membench.llm.upstreams.local.registry import find_local, public_name
from tests.llm.gguf_files import EMBEDDER, LANGUAGE_MODEL, head, write


def checked(path: Path, **settings: object) -> None:
    """Check a file as a run would before anything is called."""
    spec = ModelSpec(f"gguf:{path}", **settings)
    assert spec.local is not None
    spec.local.check(spec)


def test_a_head_says_what_the_model_is(tmp_path: Path) -> None:
    found = read_head(write(tmp_path / "m.gguf", LANGUAGE_MODEL))
    assert (found.architecture, found.quantisation) == ("llama", "Q4_K_M")
    assert found.context_length == 4096
    assert found.chat_template == "{{ messages }}"
    assert not found.only_embeds
    assert found.cache_bytes(1000) == 2 * 2 * 1000 * 16 * 8 * 64


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a GGUF file"),
        (b"PK\x03\x04 a zip file", "is not a GGUF file"),
        (b"GGUF", "is cut off in its head"),
        (head(LANGUAGE_MODEL)[:-20], "is cut off in its head"),
        (head(LANGUAGE_MODEL, tensors=4) + bytes(64), "is cut off: .* a tensor begins at"),
        (head(LANGUAGE_MODEL, version=9) + bytes(64), "GGUF of version 9"),
    ],
)
def test_a_file_that_is_no_whole_model_is_refused_by_name(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        checked(path)
    assert str(path) in str(caught.value)


def test_no_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        checked(tmp_path / "missing.gguf")
    with pytest.raises(DataError, match="is a folder"):
        checked(tmp_path)


@given(content=st.binary(max_size=300))
def test_whatever_follows_the_magic_a_head_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + content)
    try:
        read_head(path)
    except DataError as error:
        assert str(path) in str(error)


def test_a_model_that_only_embeds_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gives vectors and cannot write answers"):
        checked(write(tmp_path / "bert.gguf", EMBEDDER))


def test_a_context_beyond_the_trained_one_or_the_memory_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", LANGUAGE_MODEL)
    with pytest.raises(UsageError, match="was trained with 4,096 tokens"):
        checked(path, context_length=8192)
    huge = write(tmp_path / "huge.gguf", LANGUAGE_MODEL | {"llama.context_length": 2**31})
    with pytest.raises(UsageError, match="GiB are free"):
        checked(huge, context_length=2**31, servers=4)
    checked(path, context_length=512, servers=1)


def test_a_language_model_is_no_embedder(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", LANGUAGE_MODEL)
    with pytest.raises(UsageError, match="is a language model and cannot be the embedder"):
        Gateway(GatewayConfig({Role.EMBEDDER: ModelSpec(f"gguf:{path}")}))


def test_the_identity_holds_all_that_may_move_a_word(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", LANGUAGE_MODEL)

    def identity(**settings: object) -> object:
        spec = ModelSpec(f"gguf:{path}", **settings)
        assert spec.local is not None
        return spec.local.identity(spec)

    plain = identity()
    others = [
        identity(threads=1),
        identity(slots=2),
        identity(cache_prompt=True),
        identity(cache_prompt="examples"),
        identity(context_length=512),
        identity(chat_template="{{ other }}"),
    ]
    assert all(other != plain for other in others)
    assert identity(servers=3) == identity()
    write(path, LANGUAGE_MODEL | {"general.file_type": 7}, tensors=2)
    assert identity() != plain


def test_a_state_of_examples_is_refused_where_slots_would_share_it(tmp_path: Path) -> None:
    spec = ModelSpec(
        f"gguf:{write(tmp_path / 'm.gguf', LANGUAGE_MODEL)}", cache_prompt="examples", slots=2
    )
    assert spec.local is not None
    with pytest.raises(UsageError, match="keeps one state, for 2 slots"):
        spec.local.check(spec)


def test_names_that_leave_the_machine_hold_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    assert public_name(f"gguf:{path}") == "gguf:m.gguf"
    assert public_name(f"small:gguf:{path},gpt-4o-mini") == "small:gguf:m.gguf,gpt-4o-mini"
    local = find_local(f"gguf:{path}")
    assert local is not None
    assert ModelSpec(f"gguf:{path}").served_name == local.public_name == "gguf:m.gguf"


@pytest.mark.parametrize(
    ("content", "problem"),
    [("hello", "holds no"), ("", "holds no '{{'"), (b"\xff", "no text")],
)
def test_a_file_that_is_no_chat_template_is_refused_by_name(
    tmp_path: Path, content: str | bytes, problem: str
) -> None:
    file = tmp_path / "mine.jinja"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=problem) as refused:
        template_text(str(file))
    assert "mine.jinja" in str(refused.value)
    with pytest.raises(DataError, match="No such file"):
        template_text(str(tmp_path / "other.jinja"))
