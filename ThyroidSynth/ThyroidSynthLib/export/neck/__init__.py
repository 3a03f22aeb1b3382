"""The neck of a phantom before its thyroid is put in: a label in every voxel, from a CT, masks or the generator.

Imports packages up to `generation`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "neck": ["GridChoice", "Neck", "make_neck"],
        "neck_reading": ["example_neck", "read_ct", "read_neck"],
    },
)
