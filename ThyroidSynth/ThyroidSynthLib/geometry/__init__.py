"""Surfaces, voxel grids and coordinate frames, and the anatomical features measured on surfaces.

Everything here is independent of file formats and models. Imports only `common`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "distance_map": ["DistanceMap", "compute_distance_map"],
        "features": ["FEATURE_NAMES", "Features", "measure_features"],
        "frame": ["ALIGNMENTS", "DEFAULT_ALIGNMENT", "Frame", "Placement"],
        "grid": ["Grid", "flip_lps_ras"],
        "isosurface": ["surface_from_mask", "surface_from_sdf", "surface_from_sdf_volume", "sdf_without_islands"],
        "overlap": ["overlap_ml", "without_overlap"],
        "polydata": ["polydata_of", "surface_of"],
        "sampling": ["sample_sdf", "sample_surface", "signed_distance"],
        "surface": ["Surface"],
        "targets": ["Targets", "misfit"],
        "volume": ["Volume"],
        "voxelisation": ["voxelise"],
    },
)
