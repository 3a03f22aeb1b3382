"""What the sections of the panel share: session, parameters, base class, texts.

Imports `controls`, and nothing else of the panel.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "parameters": ["ThyroidSynthParameterNode"],
        "session": ["Session", "Work"],
    },
)
