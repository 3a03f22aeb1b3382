"""SNOMED CT codes of the structures of a neck, for DICOM."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ThyroidSynthLib.imaging.labels import MEANINGS, STRUCTURES, structure_called

TISSUE, ANATOMY, ALTERED = "85756007", "123037004", "49755003"
"""Categories of segments: tissue, anatomical structure, morphologically altered structure."""

LEFT, RIGHT = "7771000", "24028007"
"""Modifiers of structures on one side."""


@dataclass(frozen=True)
class Code:
    """What a segment is.

    Attributes
    ----------
    category, value, side : str
        SNOMED CT codes; `side` is empty for what is not paired.
    meaning : str
        Of `value`, in English.
    """

    category: str
    value: str
    meaning: str
    side: str = ""


_ANATOMY = {
    "thyroid_right_lobe": ("29565003", "Right lobe of thyroid"),
    "thyroid_left_lobe": ("79163004", "Left lobe of thyroid"),
    "thyroid_isthmus": ("40867004", "Isthmus of thyroid gland"),
    "esophagus": ("32849002", "Esophagus"),
    "larynx": ("4596009", "Larynx"),
    "pharynx": ("54066008", "Pharynx"),
    "hyoid": ("21387005", "Hyoid bone"),
    "airway": ("89187006", "Airway structure"),
    "common_carotid_artery": ("32062004", "Common carotid artery"),
    "internal_jugular_vein": ("12123001", "Internal jugular vein"),
    "brachiocephalic_trunk": ("12691009", "Brachiocephalic trunk"),
    "brachiocephalic_vein": ("8887007", "Brachiocephalic vein"),
    "subclavian_artery": ("36765005", "Subclavian artery"),
    "aorta": ("15825003", "Aorta"),
    "superior_vena_cava": ("48345005", "Superior vena cava"),
    "spinal_cord": ("2748008", "Spinal cord"),
    "brain": ("12738006", "Brain"),
    "skull": ("89546000", "Skull"),
    "clavicula": ("51299004", "Clavicle"),
    "scapula": ("79601000", "Scapula"),
    "humerus": ("85050009", "Humerus"),
    "sternum": ("56873002", "Sternum"),
    "rib": ("113197003", "Rib"),
    "costal_cartilages": ("50016007", "Costal cartilage"),
    "autochthon": ("44947003", "Erector spinae muscle"),
    "vertebrae_C1": ("14806007", "C1 vertebra"),
    "vertebrae_C2": ("39976000", "C2 vertebra"),
    "vertebrae_C3": ("113205007", "C3 vertebra"),
    "vertebrae_C4": ("5329002", "C4 vertebra"),
    "vertebrae_C5": ("36978003", "C5 vertebra"),
    "vertebrae_C6": ("36054005", "C6 vertebra"),
    "vertebrae_C7": ("87391001", "C7 vertebra"),
}
_TISSUES = {
    "soft_tissue": ("87784001", "Soft tissue"),
    "fat": ("55603005", "Adipose tissue"),
    "muscle": ("127954009", "Skeletal muscle"),
    "bone": ("3138006", "Bone"),
}
_NODULE = Code(ALTERED, "27925004", "Nodule")
_CALCIFIED = Code(ALTERED, "237897009", "Calcified")
_OTHER = Code(ANATOMY, "91723000", "Anatomical Structure")


def code_of(name: str) -> Code:
    """Return the code of a structure by its name; that of an unspecific anatomical structure for others."""
    if re.match("thyroid_nodule", name):
        return _NODULE
    if name == "calcification":
        return _CALCIFIED
    if name in _TISSUES:
        return Code(TISSUE, *_TISSUES[name])
    if name in _ANATOMY:
        return Code(ANATOMY, *_ANATOMY[name])
    found = re.fullmatch(r"(.*?)_(left|right)(?:_[0-9]+)?", name)
    if found is not None and found[1] in _ANATOMY:
        return Code(ANATOMY, *_ANATOMY[found[1]], LEFT if found[2] == "left" else RIGHT)
    structure = structure_called(name)
    if structure in STRUCTURES and structure is not None:
        return Code(ANATOMY, structure.snomed, MEANINGS[structure])
    return _OTHER
