"""The latent code of a given thyroid, whole or cut by the scan's border, and how certain it is.

Imports packages up to `model`, and `generation.decode`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "completions": ["Completions", "plausible_completions", "share_inside", "surface_sd_mm"],
        "fitting": ["Fit", "fit_mask", "fit_notes", "fit_points", "fit_surface", "mismatch_notes"],
        "given_gland": ["GivenGland"],
        "observation": ["Observation"],
        "point_cloud": ["PointCloud"],
    },
)
