"""The labels of a phantom: TotalSegmentator's numbers for its structures, and numbers from 200 on for the others."""

from __future__ import annotations

from ThyroidSynthLib.imaging.segmentations.class_maps import DEFAULT_CLASS_MAP, class_map_labels

AIR = "air"
"""The structure of label 0, around the body."""

SOFT_TISSUE, FAT, MUSCLE, BONE, AIRWAY = "soft_tissue", "fat", "muscle", "bone", "airway"
RIGHT_LOBE, LEFT_LOBE, ISTHMUS = "thyroid_right_lobe", "thyroid_left_lobe", "thyroid_isthmus"
CALCIFICATION = "calcification"
NODULE = "thyroid_nodule"

TISSUES = {SOFT_TISSUE: 200, FAT: 201, MUSCLE: 202, BONE: 203, AIRWAY: 204}
"""Labels of tissue that no segmentation names."""

THYROID_LABEL = 17
LUNGS = (12, 10)
"""Labels of the right and the left upper lobe, whose apices reach into the neck."""

GLAND_PARTS = {RIGHT_LOBE: 210, LEFT_LOBE: 211, ISTHMUS: 212, CALCIFICATION: 213}
"""Labels of the parts of the gland."""

FIRST_NODULE, MOST_NODULES = 220, 180
"""Label of ``thyroid_nodule_1``, and how many nodules a gland can have: from 400 on follow other structures."""


def label_numbers() -> dict[str, int]:
    """Return the label of each structure that has a fixed one, by name."""
    totals = {name: label for label, name in class_map_labels(DEFAULT_CLASS_MAP).items()}
    return totals | TISSUES | GLAND_PARTS
