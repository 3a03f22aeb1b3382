"""Phantoms: the patient's files for the process that makes them, and their return into the scene.

Imports `scene.patient`, `scene.thyroids` and the files of `scene`, besides the library.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__, {"phantom_loading": ["load_phantom"], "phantom_patient": ["PhantomPatient"]}
)
