"""GGUF files made of nothing but a head, for tests."""

import struct
from pathlib import Path

STRING, U32, BOOL, ARRAY = 8, 4, 7, 9
LANGUAGE_MODEL = {
    "general.architecture": "llama",
    "general.file_type": 15,
    "llama.context_length": 4096,
    "llama.block_count": 16,
    "llama.embedding_length": 2048,
    "llama.attention.head_count": 32,
    "llama.attention.head_count_kv": 8,
    "tokenizer.ggml.tokens": ["a", "b", "longer"],
    "tokenizer.chat_template": "{{ messages }}",
}
EMBEDDER = {
    "general.architecture": "bert",
    "bert.context_length": 512,
    "bert.attention.causal": False,
    "bert.pooling_type": 1,
}


def text(value: str) -> bytes:
    """A string with its length before it."""
    return struct.pack("<Q", len(value.encode())) + value.encode()


def typed(value: object) -> bytes:
    """A value with its type before it."""
    if isinstance(value, bool):
        return struct.pack("<I?", BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", U32, value)
    if isinstance(value, list):
        items = b"".join(text(item) for item in value)
        return struct.pack("<IIQ", ARRAY, STRING, len(value)) + items
    return struct.pack("<I", STRING) + text(str(value))


def head(values: dict[str, object], tensors: int = 1, version: int = 3) -> bytes:
    """Magic, counts, values, and one-dimensional tensors of 32 bytes each."""
    pairs = b"".join(text(name) + typed(value) for name, value in values.items())
    infos = b"".join(text(f"t{n}") + struct.pack("<IQIQ", 1, 8, 0, 32 * n) for n in range(tensors))
    return b"GGUF" + struct.pack("<IQQ", version, tensors, len(values)) + pairs + infos


def write(path: Path, values: dict[str, object], tensors: int = 1) -> Path:
    """A file that is whole as far as its head can say."""
    path.write_bytes(head(values, tensors) + bytes(32 * tensors + 32))
    return path
