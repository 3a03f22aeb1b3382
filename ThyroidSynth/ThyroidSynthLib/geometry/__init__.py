"""Surfaces, regular grids, frames and the anatomical features measured on them.

Imports `common` only.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "features": ["Features", "measure_features"],
        "frame": ["Frame", "Placement"],
        "grid": ["Grid"],
        "isosurface": ["surface_from_mask", "surface_from_sdf"],
        "overlap": ["overlap_ml", "without_overlap"],
        "surface": ["Surface"],
        "volume": ["Volume"],
        "voxelisation": ["voxelise"],
    },
)
