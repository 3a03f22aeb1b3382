"""The Python API: one shape model that samples, steers, fits and edits, and the shapes that it returns.

Imports every package but `slicer` and `cli`. The names are exported from `ThyroidSynthLib` itself.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "at_patient": ["ModelAtPatient"],
        "organs": ["draw_organs", "steer_organ"],
        "phantom": ["Phantom"],
        "shape_model": ["ShapeModel"],
        "shape": ["EditedShape", "FittedShape", "Shape"],
    },
)
