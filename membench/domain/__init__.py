"""The words everything is written in: cases, systems, memories, answers, scores, errors, one clock.

Imports nothing of membench. What authors of systems import is in `case`, `system`, `answer` and
`labels`; authors of tasks need `score` and `outcome` too. A third-party system that runs in an
environment of its own sees those first four modules alone.
"""
