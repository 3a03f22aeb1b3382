"""Patients and thyroids as nodes of a 3D Slicer scene. The only part of the library that knows MRML.

May import everything to its left up to `evaluation`, and `slicer` within functions; never Qt.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "hiding": ["forget_shown", "hide_again", "hide_for_now", "show_hidden"],
        "merged_map": ["PatientMap", "map_of_segmentation", "map_of_volume"],
        "terminology": ["find_segment", "mark_as"],
        "volumes": ["features_of_segment", "placement_of_patient", "surface_of_segment", "volume_of_segment"],
    },
)
