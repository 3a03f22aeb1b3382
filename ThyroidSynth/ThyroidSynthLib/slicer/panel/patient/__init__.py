"""Section "Patient": load a case, choose CT and segments, measure and check the patient.

Imports `panel.shared` only, of the panel.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(__name__, {"loading": ["showLoaded"], "section": ["PatientSection"]})
