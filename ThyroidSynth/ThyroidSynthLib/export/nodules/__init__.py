"""Nodules in a gland: from a table, from distributions, or at given positions. They are modelled, not learned.

Imports `common` and `geometry` only.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "building": ["BuiltNodule", "NodularGland", "build_nodules"],
        "distribution": ["NoduleDistribution"],
        "drawing": ["Drawn", "draw_nodules"],
        "measuring": ["MeasuredNodule", "diameters_of_voxels", "measure_nodules"],
        "nodule": ["CALCIFICATIONS", "COMPOSITIONS", "MARGINS", "PARTS", "Nodule"],
        "reading": ["nodule_table_in", "read_nodules"],
        "table": ["NODULE_COLUMNS", "TabledNodule", "nodules_of_phantom", "read_nodule_table"],
    },
)
