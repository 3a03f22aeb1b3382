"""Section "Generate": targets, random seed, and a thyroid at the patient's trachea that follows the sliders.

Imports `panel.shared` only, of the panel.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {"section": ["GenerateSection"], "targets": ["TARGETS", "besidesTargets", "outsideText", "targetsOf"]},
)
