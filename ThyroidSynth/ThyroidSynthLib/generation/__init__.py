"""Thyroids from a shape model: decoding, direct sampling, steering, fitting, editing and cohorts.

Imports packages up to `jobs`. Only `steer.map_fitting`, which belongs to training, needs PyTorch.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "shapes": ["ModelShapes", "Shapes", "decoded_at"],
        "thyroid": ["GeneratedThyroid", "Thyroid", "Validity", "reconstruct", "thyroid_of_code"],
        "training_preview": ["PreviewWriter"],
    },
)
