"""The leaderboard: submit, verify, compare, see.

A run becomes a **bundle** (`bundle`), one **validator** judges it wherever it arrives
(`validation`), the **store** keeps accepted bundles and what the board says of them (`store`),
and pages, static site and report show the same **views** of it (`views`).
"""
