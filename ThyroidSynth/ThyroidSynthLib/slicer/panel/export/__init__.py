"""Section "Export": write thyroids of the scene to files, and generate cohorts in the background.

Imports `panel.shared` and `panel.generate` only, of the panel.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(__name__, {"section": ["ExportSection"]})
