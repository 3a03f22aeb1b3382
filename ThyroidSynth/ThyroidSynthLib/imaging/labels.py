"""Which structure is which: by terminology code, by whole name, or by number when the user says whose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from ThyroidSynthLib.common.errors import InputError


@dataclass(frozen=True)
class Structure:
    """An anatomical structure this library looks for.

    Attributes
    ----------
    name : str
        TotalSegmentator's class name.
    names : frozenset of str
        Every name it goes by, as `normalised` writes them. Whole names only: thyroid cartilage and
        sternothyroid hold "thyroid" and are something else.
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
"""Meaning of each structure's code in Slicer's own list."""

CLASS_MAPS: Mapping[str, Mapping[Structure, int]] = {"total-v2": {TRACHEA: 16, THYROID: 17}}
"""Label numbers of class maps a user may name. The same numbers are other organs in other tasks."""


def normalised(name: str) -> str:
    """Write a name in one way: lower case, words parted by single blanks."""
    return " ".join(re.split(r"[\s_\-]+", name.strip().lower())).strip()


def structure_called(name: str) -> Structure | None:
    """Give the structure with this whole name, if it is one looked for."""
    plain = normalised(name)
    return next((structure for structure in STRUCTURES if plain in structure.names), None)


def terminology_entry(structure: Structure) -> str:
    """Give the terminology entry of a structure as Slicer stores it in a segment's tag."""
    return f"{_CATEGORY}~SCT^{structure.snomed}^{MEANINGS[structure]}~^^~{_REGION}"


def structure_coded(entry: str) -> Structure | None:
    """Give the structure that is the *type* of a Slicer terminology entry.

    The anatomic region is left aside: a nodule's entry names the thyroid there.
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
    """Read the label names TotalSegmentator's ``--ml`` writes into a NIfTI header.

    They are Caret XML in an extension of code 0, padded with zeros; other programs use other codes
    for the same XML, so every extension is looked at.

    Parameters
    ----------
    extensions : iterable of (int, bytes)
        Code and content, as `nifti.NiftiHeader.extensions`.

    Returns
    -------
    dict of int to str
        Name of each label; empty when no extension holds any.
    """
    names: dict[int, str] = {}
    for _, content in extensions:
        text = content.strip(b"\x00 \t\r\n")
        if not text.startswith(b"<") or b"Label" not in text:
            continue
        # A document type could define entities that expand without end; Caret XML has none.
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
    """Say which label of a multi-label file is which structure.

    Parameters
    ----------
    path : path-like
        The file, for messages.
    names : mapping of int to str
        Label names the file holds; may be empty.
    class_map : str, optional
        Key of `CLASS_MAPS`; used when the file holds no names, and must agree with them otherwise.

    Returns
    -------
    dict
        Label of each structure; None where the file names none.

    Raises
    ------
    InputError
        The labels cannot be told, or the class map contradicts the names.
    """
    numbers = CLASS_MAPS[checked_class_map(class_map)] if class_map is not None else None
    if not names:
        if numbers is None:
            raise InputError(
                f"{path} holds no label names, and label numbers mean different organs in different tasks. "
                "If it is "
                f"a TotalSegmentator v2 'total' map say so (class map {', '.join(CLASS_MAPS)}), "
                "or give one mask file for the thyroid and one for the trachea."
            )
        return dict(numbers)
    found: dict[Structure, int | None] = dict.fromkeys(STRUCTURES)
    for label, name in sorted(names.items()):
        structure = structure_called(name)
        if structure is None:
            continue
        if found[structure] is not None:
            raise InputError(
                f"{path} names both label {found[structure]} and label {label} {name}. Rename one of them."
            )
        found[structure] = label
    if numbers is not None and any(found[s] is not None and found[s] != numbers[s] for s in STRUCTURES):
        told = ", ".join(f"{structure.name} = {label}" for structure, label in found.items())
        raise InputError(
            f"{path} names its labels otherwise than class map {class_map} ({told}). Leave the class map out."
        )
    if all(label is None for label in found.values()):
        listed = ", ".join(sorted(names.values())[:8]) + (", …" if len(names) > 8 else "")
        raise InputError(f"{path} names neither a thyroid nor a trachea among its {len(names)} labels ({listed}).")
    return found


def checked_class_map(class_map: str) -> str:
    """Give the class map back, or say which there are.

    Raises
    ------
    InputError
        It is unknown.
    """
    if class_map not in CLASS_MAPS:
        raise InputError(f"Class map {class_map!r} is not known. Known: {', '.join(CLASS_MAPS)}.")
    return class_map
