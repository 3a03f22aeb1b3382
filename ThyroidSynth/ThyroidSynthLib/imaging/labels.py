"""Identification of thyroid and trachea by terminology code, by name, or by label number of a known class map."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from ThyroidSynthLib.common.errors import InputError


@dataclass(frozen=True)
class Structure:
    """An anatomical structure that this library reads.

    Attributes
    ----------
    name : str
        TotalSegmentator's class name.
    names : frozenset of str
        All its names, normalised by `normalised`. They must match as a whole: thyroid cartilage and sternothyroid
        contain "thyroid" but are other structures.
    snomed : str
        Its SNOMED CT code.
    """

    name: str
    names: frozenset[str]
    snomed: str


THYROID = Structure("thyroid_gland", frozenset({"thyroid", "thyroid gland"}), "69748006")
TRACHEA = Structure("trachea", frozenset({"trachea"}), "44567001")
STRUCTURES = (THYROID, TRACHEA)

_CATEGORY = "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
_REGION = "Anatomic codes - DICOM master list~^^~^^"

MEANINGS = {THYROID: "Thyroid", TRACHEA: "Trachea"}
"""Meaning of each structure's code in Slicer's terminology."""

CLASS_MAPS: Mapping[str, Mapping[Structure, int]] = {"total-v2": {TRACHEA: 16, THYROID: 17}}
"""Label numbers of known class maps. The same numbers are other structures in other tasks of TotalSegmentator."""


def normalised(name: str) -> str:
    """Return a name in lower case with single spaces between words."""
    return " ".join(re.split(r"[\s_\-]+", name.strip().lower())).strip()


def structure_called(name: str) -> Structure | None:
    """Return the structure with this name, or None."""
    plain = normalised(name)
    return next((structure for structure in STRUCTURES if plain in structure.names), None)


def terminology_entry(structure: Structure) -> str:
    """Return the terminology entry of a structure, in the format of Slicer's segment tags."""
    return f"{_CATEGORY}~SCT^{structure.snomed}^{MEANINGS[structure]}~^^~{_REGION}"


def structure_coded(entry: str) -> Structure | None:
    """Return the structure that is the *type* in a Slicer terminology entry, or None.

    The anatomic region is ignored: the entry of a thyroid nodule has the thyroid there.
    """
    parts = entry.split("~")
    if len(parts) < 3:
        return None
    scheme, _, rest = parts[2].partition("^")
    code = rest.partition("^")[0]
    if scheme not in ("SCT", "SRT"):
        return None
    return next((structure for structure in STRUCTURES if code == structure.snomed), None)


def names_in_extensions(extensions: Iterable[tuple[int, bytes]]) -> dict[int, str]:
    """Return the label names that TotalSegmentator's ``--ml`` writes into a NIfTI header; empty if there are none.

    They are Caret XML in an extension of code 0, padded with zeros. Other programs use other codes for the same XML,
    so the code is ignored.
    """
    names: dict[int, str] = {}
    for _, content in extensions:
        text = content.strip(b"\x00 \t\r\n")
        if not text.startswith(b"<") or b"Label" not in text:
            continue
        # A document type can define entities that expand without limit; Caret XML has none.
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            continue
        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError:
            continue
        for label in root.iter("Label"):
            key, name = label.get("Key", ""), (label.text or "").strip()
            if re.fullmatch(r"\s*\d+\s*", key) and name:
                names[int(key)] = name
    return names


def labels_of_structures(path: object, names: Mapping[int, str], class_map: str | None) -> dict[Structure, int | None]:
    """Return the label of each structure in a multi-label file; None for a structure that the file does not name.

    Parameters
    ----------
    path : path-like
        The file, for messages.
    names : mapping of int to str
        Label names in the file; may be empty.
    class_map : str, optional
        Key of `CLASS_MAPS`; used if the file has no names, and must agree with them otherwise.

    Raises
    ------
    InputError
        The labels are unknown or ambiguous, or the class map contradicts the names.
    """
    numbers = CLASS_MAPS[checked_class_map(class_map)] if class_map is not None else None
    if not names:
        if numbers is None:
            raise InputError(
                f"{path} has no label names, and label numbers mean different structures in different tasks. If it is "
                f"a label map of the TotalSegmentator v2 task 'total', choose the class map {', '.join(CLASS_MAPS)}; "
                "else choose one mask file for the thyroid and one for the trachea."
            )
        return dict(numbers)
    found: dict[Structure, int | None] = dict.fromkeys(STRUCTURES)
    for label, name in sorted(names.items()):
        structure = structure_called(name)
        if structure is None:
            continue
        if found[structure] is not None:
            raise InputError(
                f"In {path} label {found[structure]} and label {label} are both the {structure.name}. "
                "Rename one of them."
            )
        found[structure] = label
    if numbers is not None and any(found[s] is not None and found[s] != numbers[s] for s in STRUCTURES):
        listed = ", ".join(f"{structure.name} = {label}" for structure, label in found.items())
        raise InputError(
            f"The label names in {path} contradict class map {class_map} ({listed}). Leave the class map out."
        )
    if all(label is None for label in found.values()):
        listed = ", ".join(sorted(names.values())[:8]) + (", …" if len(names) > 8 else "")
        raise InputError(
            f"{path} has neither a thyroid nor a trachea among its {len(names)} label names ({listed}). "
            "Choose another file."
        )
    return found


def checked_class_map(class_map: str) -> str:
    """Return the name of a class map; `InputError` with the known ones if it is unknown."""
    if class_map not in CLASS_MAPS:
        raise InputError(f"There is no class map {class_map!r}. Choose one of: {', '.join(CLASS_MAPS)}.")
    return class_map
