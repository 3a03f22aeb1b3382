"""Thyroids that are given as meshes, with the centre of the trachea beside them.

Imports `common`, `geometry`, `imaging` and the rest of `dataset`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "centres": ["Centres", "centres_of"],
        "mesh_cases": ["find_mesh_files", "mesh_placement"],
        "preparation": ["MeshOptions", "prepare_meshes"],
    },
)
