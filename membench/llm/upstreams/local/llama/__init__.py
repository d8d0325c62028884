"""GGUF files, served by llama.cpp's own server (`xllamacpp`) in processes that a run owns."""
