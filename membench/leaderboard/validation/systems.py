"""Rule 5 for systems: who takes the name of a system that is known here must be that system.

In goes the manifest's system; out come findings:

    {"name": "mem0", "version": "1.0.1", "fidelity": "package", "parameters": {"k1": 1.5}, ...}
    -> known.system: "manifest.json: system.parameters": differs from the card of 'mem0'

The values of parameters are compared where the version is the card's. A bundle of another version
is flagged: what its defaults were cannot be looked up here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from membench.adapters.card import SystemCard
from membench.adapters.configured import configured_card
from membench.adapters.parameters import checked_parameters
from membench.adapters.registry import built_in_systems
from membench.domain.errors import UserError
from membench.domain.labels import JsonObject, JsonView
from membench.leaderboard.bundles import layout
from membench.leaderboard.bundles.withholding import WITHHELD
from membench.leaderboard.validation.rules import Finding

SAME_LOOK = str.maketrans("01il5$", "ollls" + "s")
"""Characters that are read as another one."""


def system_findings(manifest: JsonView) -> Iterator[Finding]:
    """How the system is not the one whose name it has."""
    name = manifest["system"]["name"]
    card = built_in_systems().get(name)
    if card is None:
        if other := look_alikes().get(look(name)):
            problem = f"'{name}' reads like '{other}', which is another system"
            yield Finding("known.system", f"{layout.MANIFEST}: system.name", problem)
        return
    yield from card_findings(card, manifest)


def card_findings(card: SystemCard, manifest: JsonView) -> Iterator[Finding]:
    """What a manifest says of a built-in system that its card does not."""
    claimed = manifest["system"]
    parameters = chosen_parameters(card, manifest)
    if parameters is not None:
        card = as_configured(card, parameters)
    expected: JsonObject = {
        "fidelity": card.fidelity,
        "protocol": card.protocol,
        "adapter": None,
        "capabilities": sorted(card.capabilities),
        "reference": card.reference,
        "order_dependent": "mutates_on_recall" in card.capabilities
        and "snapshot" not in card.capabilities,
    }
    if claimed["version"] == card.version:
        expected["parameters"] = known_then(parameters, manifest)
    elif not claimed["parameters"].keys() <= card.parameters.keys():
        yield Finding("known.system", f"{layout.MANIFEST}: system.parameters", "are of another")
    if card.drives:
        expected["adapter"] = card.name
    for key, value in expected.items():
        if claimed.get(key, value) != value:
            problem = f"differs from the card of '{card.name}'"
            yield Finding("known.system", f"{layout.MANIFEST}: system.{key}", problem)


def as_configured(card: SystemCard, parameters: JsonView) -> SystemCard:
    """The card as its parameters make it: a controller can what the system inside it can."""
    try:
        return configured_card(card, parameters)
    except UserError:  # it drives a system that is not known here
        return card


def chosen_parameters(card: SystemCard, manifest: JsonView) -> JsonObject | None:
    """The parameters that the settings of the spec mean; None where the card does not allow them.

    Those that a bundle withholds (addresses, folders) are taken as they are.
    """
    withheld = {
        name: value
        for name, value in manifest["system"]["parameters"].items()
        if name in card.parameters and (value == WITHHELD or card.parameters[name].type == "folder")
    }
    chosen = {n: value for n, value in manifest["spec"]["set"].items() if n not in withheld}
    try:
        return checked_parameters(card, chosen) | withheld
    except UserError:
        return None


def known_then(parameters: JsonObject | None, manifest: JsonView) -> JsonObject | None:
    """Parameters without those that the card has got since, whose default is what was done before.

    Args:
        parameters: As today's card reads the spec.
        manifest: Of the bundle; what its spec sets is never left out.
    """
    if parameters is None:
        return None
    told = manifest["system"]["parameters"].keys() | manifest["spec"]["set"].keys()
    return {name: value for name, value in parameters.items() if name in told}


def system_flags(manifest: JsonView) -> list[str]:
    """`flag.version` for a version that cannot be looked up here."""
    card = built_in_systems().get(manifest["system"]["name"])
    known = card is None or card.version == manifest["system"]["version"]
    return [] if known else ["flag.version"]


@cache
def look_alikes() -> dict[str, str]:
    """How the names of built-in systems look -> those names."""
    return {look(name): name for name in built_in_systems()}


def look(name: str) -> str:
    """A name without what a reader passes over: case, separators, similar characters."""
    bare = "".join(c for c in name.casefold() if c.isalnum() or c == "$")
    return bare.translate(SAME_LOOK)
