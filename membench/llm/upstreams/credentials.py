"""Which environment variables a provider's calls through litellm need, known before any call.

litellm finds out with the first call, and then with every one of a run's thousands.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

Alternatives = tuple[str, ...]
"""Variables of which one is enough."""

NEEDED: Mapping[str, tuple[Alternatives, ...]] = {
    "anthropic": (("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_FEDERATION_RULE_ID"),),
    "azure": (
        ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_AD_TOKEN", "AZURE_CLIENT_ID"),
        ("AZURE_API_BASE",),
    ),
    "gemini": (("GEMINI_API_KEY", "GOOGLE_API_KEY"),),
    "openrouter": (("OPENROUTER_API_KEY", "OR_API_KEY"),),
}
"""By litellm's prefix; of providers that are not here nothing is known, and nothing is refused."""


def missing_variable(model: str) -> str | None:
    """The first variable that a model of a provider needs and that is not set.

    Args:
        model: litellm's name, `PROVIDER/NAME`.
    """
    provider = model.partition("/")[0]
    for names in NEEDED.get(provider, ()):
        if not any(os.environ.get(name) for name in names):
            return names[0]
    return None
