"""Joules with their label: sources, sampler, ledger, metrics, carbon.

    selection = choose("auto")                      # which sources, and why
    with EnergySession(selection, run / "energy.jsonl", clock=clock) as session:
        ...                                         # the run; records carry spans
    ledger = attribute(read_log(run / "energy.jsonl"), spans)
    ledger.summary()                                # the energy of its summary

Nothing is imported here, so that a lane that imports `membench` pays nothing for it:
`choose` and `doctor` live in `energy.sources`, `EnergySession` in `energy.sampling.sampler`,
`attribute` in `energy.attribution.ledger`, `read_log` and `Span` in `energy.samples`.
"""
