"""Section "Edit": fit the patient's thyroid and change its features.

Imports `panel.shared` and `panel.generate` only, of the panel.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(__name__, {"section": ["EditSection"]})
