"""Reading of meshes and point clouds that other programs wrote, in `ras_mm`.

Imports only `common`, `geometry` and the rest of `imaging`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "any_mesh": ["MESH_SUFFIXES", "MeshFile", "read_mesh_file"],
        "any_ply": ["Ply", "read_any_ply"],
        "point_clouds": ["CLOUD_SUFFIXES", "read_points"],
    },
)
