"""From a latent code to a surface: the model's field, its evaluation on a grid, and feature derivatives.

Imports packages up to `model`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "decoding": ["DEFAULT_RESOLUTION", "Decoded", "decode", "decoding_box", "surface_of_grid"],
        "field": ["Field"],
        "sensitivity": ["Sensitivity", "SurfaceMotion", "feature_sensitivity"],
        "sparse_grid": ["GridValues", "evaluate_dense", "evaluate_sparse"],
    },
)
