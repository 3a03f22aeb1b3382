"""Identification of thyroid and trachea, and of the lobes of the thyroid, by terminology code or by name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from xml.etree import ElementTree


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


THYROID = Structure(
    "thyroid_gland",
    frozenset(
        {
            *("thyroid", "thyroid gland", "thyroidgland", "gland thyroid", "glnd thyroid", "gl thyroid"),
            *("glandula thyroidea", "glandula thyreoidea", "glandulae thyroideae", "glandulae thyreoideae"),
            *("thyroidea", "thyreoidea", "thyroideae", "thyreoideae"),
            *("schilddruse", "schilddruese", "thyroide", "glande thyroide", "tiroides", "glandula tiroides"),
            *("tiroide", "ghiandola tiroide", "tireoide", "glandula tireoide", "schildklier", "skoldkortel"),
            *("tarczyca", "щитовидная железа", "甲状腺", "갑상선", "gl thyroidea", "skjoldbruskkjertel"),
            *("skjoldbruskkirtel", "pajzsmirigy", "stitna zlaza", "tiroid bezi", "kilpirauhanen"),
        }
    ),
    "69748006",
)
TRACHEA = Structure(
    "trachea",
    frozenset({"trachea", "windpipe", "luftrohre", "luftroehre", "trachee", "traquea", "traqueia", "tchawica"})
    | {"luchtpijp", "luftstrupe", "трахея", "气管", "気管", "기관", "luftrør", "prudusnice", "legcso"}
    | {"soluk borusu", "henkitorvi"},
    "44567001",
)
STRUCTURES = (THYROID, TRACHEA)

WHOLE, LEFT, RIGHT, ISTHMUS = "", "left", "right", "isthmus"

LOBE_PARTS = (RIGHT, LEFT, ISTHMUS)
"""Parts of the thyroid that are segmented by themselves and joined on reading."""


@dataclass(frozen=True)
class Part:
    """A structure, or one of the `LOBE_PARTS` of the thyroid; `side` is "" for the whole structure."""

    structure: Structure
    side: str = WHOLE


_CATEGORY = "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
_REGION = "Anatomic codes - DICOM master list~^^~^^"

ALTERED_ENTRY = "~SCT^49755003^Morphologically Altered Structure"
"""Terminology entry of what is no organ, such as a planning target volume."""

MEANINGS = {THYROID: "Thyroid", TRACHEA: "Trachea"}
"""Meaning of each structure's code in Slicer's terminology."""

# Codes of SNOMED CT, and of SNOMED RT that older DICOM files have, as listed in DICOM PS3.16.
_SNOMED = {
    **dict.fromkeys(("69748006", "T-B6000"), Part(THYROID)),
    **dict.fromkeys(("29565003", "T-B6100"), Part(THYROID, RIGHT)),
    **dict.fromkeys(("79163004", "T-B6200"), Part(THYROID, LEFT)),
    **dict.fromkeys(("40867004", "T-B6300"), Part(THYROID, ISTHMUS)),
    **dict.fromkeys(("44567001", "T-25000"), Part(TRACHEA)),
}
_SNOMED_SIDES = {"7771000": LEFT, "G-A101": LEFT, "24028007": RIGHT, "G-A100": RIGHT}
_SNOMED_SCHEMES = {"SCT", "SRT", "SNM3", "99SDM"}
# Types that do not name the structure, so that the anatomic region does: anatomical structure, organ, tissue.
_UNSPECIFIC = {"123037004", "T-D000A", "91723000", "T-D0005", "91772007", "T-D0062", "85756007", "T-D0050", ""}
# Categories of what is not an organ: morphologically altered structure, and abnormal or foreign things.
_ALTERED = {"49755003", "M-01000", "52988006", "M-01100", "118956008", "260787004", "A-00004"}

_SIDE_WORDS = {
    **dict.fromkeys(("left", "l", "lt", "lft", "sin", "sinister", "sinistra", "links", "linke", "linker", "li"), LEFT),
    **dict.fromkeys(("gauche", "izquierdo", "izquierda", "esquerdo", "esquerda", "sinistro"), LEFT),
    **dict.fromkeys(("right", "r", "rt", "rgt", "dex", "dexter", "dextra", "rechts", "rechte", "rechter", "re"), RIGHT),
    **dict.fromkeys(("droite", "droit", "derecho", "derecha", "direito", "direita", "destro", "destra"), RIGHT),
    **dict.fromkeys(("isthmus", "isthme", "istmo"), ISTHMUS),
}
_LOBE_WORDS = {"lobe", "lobes", "lobus", "lappen", "lobo", "lobulo", "lobi"}
# Forms that name the thyroid only beside a word for lobe.
_OF_THE_THYROID = {"thyroidien", "tiroideo", "tireoideano", "schilddrusen", "schilddruesen"}
_JOINING_WORDS = {"of", "the", "and", "der", "de", "la", "du", "und", "et", "y"}
_WHOLE_WORDS = {"both", "bilateral", "whole", "entire", "complete"}
# What programs and people add to the name of a structure.
_ADDED_WORDS = {
    *("mask", "seg", "segmentation", "segment", "label", "labelmap", "roi", "contour", "oar", "organ", "structure"),
    *("pred", "prediction", "gt", "auto", "manual", "corrected", "edited", "final", "ai", "dl", "ts"),
}
_LESION = re.compile(
    r"nodul|node|tumou?r|lesion|cyst|cancer|carcinom|adenom|metast|\bmass(?:es)?\b|remnant|bed\b|resect|"
    r"\b(?:gtv|ctv|ptv|itv|prv|opt|ring|avoid|hot|cold)"
)


# The names of a class map are met again in every case of a cohort.
_MOST_CACHED = 1024


def normalised(name: str) -> str:
    """Return a name in lower case, without accents, with single spaces between words (also of "ThyroidGland")."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name.strip())
    plain = "".join(each for each in unicodedata.normalize("NFKD", spaced) if not _is_accent(each))
    return " ".join(re.split(r"[\s_\-.,:;/()\[\]^*]+", unicodedata.normalize("NFKC", plain).casefold())).strip()


@lru_cache(_MOST_CACHED)
def part_called(name: str) -> Part | None:
    """Return the structure, or the part of the thyroid, that a whole name stands for, or None.

    "Glnd_Thyroid_L" and "right lobe of the thyroid" are lobes, "Trachea_PRV05" and "thyroid nodule" are neither.
    """
    words = normalised(name).split()
    if (found := _named(words)) is not None:
        return Part(found)
    spelt_out = "structure" in words
    words = " ".join(word for word in words if word not in _ADDED_WORDS).replace("senlappen", "sen lappen").split()
    sides = {_SIDE_WORDS[word] for word in words if word in _SIDE_WORDS}
    lobe = any(word in _LOBE_WORDS for word in words)
    whole = any(word in _WHOLE_WORDS for word in words) or {LEFT, RIGHT} <= sides
    others = [word for word in words if word not in _SIDE_WORDS and word not in _LOBE_WORDS | _WHOLE_WORDS]
    if lobe or sides or spelt_out:
        others = [word for word in others if word not in _JOINING_WORDS]
        others = ["thyroid" if lobe and word in _OF_THE_THYROID else word for word in others]
    structure = _named(others)
    if structure is None or (structure is not THYROID and (sides or lobe)):
        return None
    if whole or not (sides or lobe):
        return Part(structure)
    return Part(structure, sides.pop()) if len(sides) == 1 else None


def structure_called(name: str) -> Structure | None:
    """Return the structure that a name stands for, whole or in part, or None."""
    part = part_called(name)
    return None if part is None else part.structure


@lru_cache(_MOST_CACHED)
def is_lesion(name: str) -> bool:
    """Check whether a name is that of a lesion or a planning structure, such as a nodule or a PRV."""
    plain = normalised(name)
    # A multinodular goitre is the whole gland.
    return bool(_LESION.search(plain)) and not re.search(r"\bgoit(?:re|er)\b|\bstruma\b", plain)


def side_named(name: str) -> str:
    """Return the part of the thyroid that a name has words for; "" if it has none, or has left and right."""
    sides = {_SIDE_WORDS[word] for word in normalised(name).split() if word in _SIDE_WORDS}
    return sides.pop() if len(sides) == 1 else WHOLE


def terminology_entry(structure: Structure) -> str:
    """Return the terminology entry of a structure, in the format of Slicer's segment tags."""
    return coded_entry(structure.snomed, MEANINGS[structure])


def coded_entry(snomed: str, meaning: str, side: str = "") -> str:
    """Return a terminology entry of an anatomical structure by SNOMED CT codes: its own, and that of a side."""
    of_side = f"SCT^{side}^{_SNOMED_SIDES[side].capitalize()}" if side else "^^"
    return f"{_CATEGORY}~SCT^{snomed}^{meaning}~{of_side}~{_REGION}"


def part_coded(entry: str) -> Part | None:
    """Return the structure, or the part of the thyroid, that is the *type* in a Slicer terminology entry, or None.

    An entry has the fields context, category, type, modifier, context of the region, region, modifier of the region.
    """
    fields = _codes(entry)
    if fields["category"] in _ALTERED:
        return None
    part = _SNOMED.get(fields["type"])
    if part is None or part.side or part.structure is not THYROID:
        return part
    return Part(part.structure, _SNOMED_SIDES.get(fields["modifier"], WHOLE))


def part_in_region(entry: str) -> Part | None:
    """Return the structure in the *anatomic region* of an entry whose type is unspecific, such as organ or tissue.

    The entry of a thyroid nodule has the thyroid there, too, but its type is specific.
    """
    fields = _codes(entry)
    if fields["category"] in _ALTERED or fields["type"] not in _UNSPECIFIC:
        return None
    part = _SNOMED.get(fields["region"])
    if part is None or part.side or part.structure is not THYROID:
        return part
    side = _SNOMED_SIDES.get(fields["region modifier"]) or _SNOMED_SIDES.get(fields["modifier"], WHOLE)
    return Part(part.structure, side)


def is_altered(entry: str) -> bool:
    """Check whether a terminology entry is that of an altered structure, such as a nodule, or of no structure."""
    return _codes(entry)["category"] in _ALTERED


def names_in_extensions(extensions: Iterable[tuple[int, bytes]]) -> dict[int, str]:
    """Return the label names that TotalSegmentator's ``--ml`` writes into a NIfTI header; empty if there are none.

    They are Caret XML in an extension of code 0, padded with zeros. Other programs use other codes for the same XML,
    so the code is ignored.
    """
    return {number: (label.text or "").strip() for number, label in _labels_in(extensions)}


def colours_in_extensions(extensions: Iterable[tuple[int, bytes]]) -> dict[int, tuple[float, float, float]]:
    """Return the colours (red, green, blue, each 0 to 1) of the labels that `names_in_extensions` finds, if valid."""
    found = {}
    for number, label in _labels_in(extensions):
        colour = colour_of_texts([label.get(name, "") for name in ("Red", "Green", "Blue")])
        if colour is not None:
            found[number] = colour
    return found


def colour_of_texts(parts: Sequence[str]) -> tuple[float, float, float] | None:
    """Return the colour that three numbers from 0 to 1 state; None for other texts."""
    if len(parts) != 3 or not all(re.fullmatch(r"[01](\.[0-9]{1,18})?", part) for part in parts):
        return None
    red, green, blue = (min(float(part), 1.0) for part in parts)
    return red, green, blue


def _labels_in(extensions: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, ElementTree.Element]]:
    for _, content in extensions:
        text = content.strip(b"\x00 \t\r\n")
        if not text.startswith(b"<") or b"Label" not in text:
            continue
        # A document type can define entities that expand without limit; Caret XML has none.
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            continue
        try:
            root = ElementTree.fromstring(text)
        except (ElementTree.ParseError, LookupError, ValueError):  # Damaged, or in an encoding that does not exist.
            continue
        for label in root.iter("Label"):
            key = label.get("Key", "")
            # Key 0 is the background in files of Connectome Workbench, with a name such as "???".
            if re.fullmatch(r"\s*[0-9]{1,9}\s*", key) and (label.text or "").strip() and int(key):
                yield int(key), label


def _is_accent(character: str) -> bool:
    return unicodedata.category(character) == "Mn"


def _named(words: list[str]) -> Structure | None:
    name = " ".join(words)
    return next((structure for structure in STRUCTURES if name in structure.names), None)


def _codes(entry: str) -> dict[str, str]:
    """Return the SNOMED codes in the fields of a Slicer terminology entry; "" for other codes and missing fields."""
    fields = [*entry.strip("|").split("~"), *[""] * 7]
    names = ("category", "type", "modifier", "region context", "region", "region modifier")
    codes = {}
    for name, field in zip(names, fields[1:], strict=False):
        scheme, _, rest = field.partition("^")
        code = rest.partition("^")[0]
        codes[name] = code if scheme in _SNOMED_SCHEMES else "" if not code else "another scheme"
    return codes
