"""Reading and writing of images, label maps, segmentations and meshes.

All readers return positions in `ras_mm` and raise `InputError` with the file, its fault and the remedy. Imports only
`common` and `geometry`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "label_map_files": ["write_label_map", "write_names_table"],
        "label_maps": ["LabelMap", "combine_masks"],
        "labels": ["THYROID", "TRACHEA", "Structure"],
        "masks": ["Mask", "mask_in_scan", "read_mask"],
        "mesh_files": ["MESH_FORMATS", "read_mesh", "write_mesh"],
        "nifti": ["NiftiHeader", "read_header"],
        "segmentations.class_maps": ["class_map_labels"],
        "segmentations.label_map_reading": ["read_label_map"],
        "segmentations.opening": ["SegmentationFile", "open_segmentation", "read_structure"],
        "volume_files": ["read_grid", "read_volume", "write_volume"],
    },
)
