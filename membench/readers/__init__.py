"""Readers answer a question from what was recalled: the `read` stage's workers.

`extractive` and `refuse` are local: deterministic, no network. Every other name is an LLM.
"""
