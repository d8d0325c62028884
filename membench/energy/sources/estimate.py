"""`estimate[:GPU]`: tokens times published coefficients, for models behind a remote API.

The label is `estimated` and the range wide: nothing of the hardware, the batch or the power of a
remote API can be observed. Prompt and completion tokens count apart, since memory systems differ in
prompts. `pue=` multiplies by the overhead of the data centre.
"""

from __future__ import annotations

from collections.abc import Sequence

from membench.domain.clock import ReadClock
from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import Provenance
from membench.energy.attribution.coefficients import GPUS, VERSION
from membench.energy.figure import Component
from membench.energy.samples import Channel
from membench.energy.sources.base import Reading
from membench.energy.sources.card import SourceCard, spelled


class TokenEstimate:
    """Token counts of the spans times coefficients of a GPU.

    Args:
        gpu: The GPU whose coefficients are taken.
        pue: Power usage effectiveness of the data centre.
    """

    name = "estimate"

    def __init__(self, gpu: str = "H100", pue: float = 1.0) -> None:
        """Keep the choice of coefficients."""
        self.gpu = gpu
        self.pue = pue

    @classmethod
    def parse(cls, argument: str) -> TokenEstimate:
        """From the part of the spec after `estimate:` (`H100,pue=1.1`).

        Raises:
            UnknownName: A GPU without coefficients.
            UsageError: A PUE that is no number of 1 or more.
        """
        parts = [part for part in argument.split(",") if part]
        pue = next((part[4:] for part in parts if part.startswith("pue=")), "1")
        gpus = [part for part in parts if not part.startswith("pue=")] or ["H100"]
        if gpus[0] not in GPUS or len(gpus) > 1:
            raise UnknownName("GPU with published coefficients", ",".join(gpus), GPUS)
        try:
            factor = float(pue)
        except ValueError:
            factor = 0.0
        if not 1 <= factor <= 3:
            raise UsageError(f"{spelled('estimate', argument)}: pue is a number from 1 to 3")
        return cls(gpus[0], factor)

    def open(self, clock: ReadClock) -> Sequence[Channel]:
        """One estimated channel."""
        return (
            Channel(
                id="remote_api",
                source=self.name,
                component=Component.REMOTE_API,
                provenance=Provenance.ESTIMATED,
                method=f"tokens x {VERSION} coefficients of {self.gpu}, PUE {self.pue:g}",
                kind="tokens",
                relative_sd=0.0,
                coefficients={"pue": self.pue},
                facts={"gpu": self.gpu, "version": VERSION},
            ),
        )

    def read(self) -> Sequence[Reading]:
        """Nothing is sampled."""
        return ()

    def close(self) -> None:
        """Nothing to release."""


SOURCE = SourceCard("estimate", TokenEstimate.parse)
