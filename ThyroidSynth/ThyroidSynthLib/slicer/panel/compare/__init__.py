"""Section "Inspect": compare, plot and rate the thyroids of the scene.

Imports `panel.shared` and `panel.reader_study` only, of the panel.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(__name__, {"section": ["InspectSection"]})
