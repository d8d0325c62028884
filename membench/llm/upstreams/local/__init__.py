"""Models that run on this machine: found by name, installed, and hosted by the gateway itself.

Every model is an entry of a registry (`registry`): a file in `models/`, or an entry point
`membench.local_models` of another package. Its entry says which roles it can fill, how wide its
vectors or how long its context is, and makes the upstream that answers its calls.
"""
