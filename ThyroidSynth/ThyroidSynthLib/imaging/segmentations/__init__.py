"""One way to open a segmentation file of any format: which segments it has, and which are thyroid and trachea.

May import the other files of `imaging`, which do not import this package.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "class_maps": ["class_map_labels", "class_map_names"],
        "label_map_reading": ["read_label_map"],
        "opening": ["SegmentationFile", "open_segmentation", "read_structure", "segmentation_kind"],
    },
)
