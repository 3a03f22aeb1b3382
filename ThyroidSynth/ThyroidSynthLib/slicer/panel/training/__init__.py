"""Section "Training": train a shape model in a background process.

Imports `panel.shared` only, of the panel.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(__name__, {"section": ["TrainSection"]})
