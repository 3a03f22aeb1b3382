"""Read the masks of organs beside the thyroid by the names that they have in a segmentation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import stem_of
from ThyroidSynthLib.dataset.finding.mask_names import is_image_file
from ThyroidSynthLib.dataset.finding.source import CaseSource
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA, normalised, structure_called
from ThyroidSynthLib.imaging.masks import Mask, joined_masks, read_mask
from ThyroidSynthLib.imaging.segmentations.opening import open_segmentation

# A name becomes that of a folder and of arrays in a model file.
_VALID = re.compile(r"[a-z0-9][a-z0-9_+-]{0,63}")


def checked_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of organs as they are used in files, with one underscore between words, each once.

    `InputError` if a name is impossible or that of the thyroid.
    """
    checked = []
    for name in names:
        plain = "_".join(name.strip().lower().split())
        if not _VALID.fullmatch(plain):
            raise InputError(
                f"'{name}' cannot be the name of an organ. Write it as in the segmentation, such as trachea or "
                "common_carotid_artery_left."
            )
        if structure_called(plain) is THYROID:
            raise InputError(f"'{name}' is the thyroid, which every model has. Leave it out of the organs.")
        checked.append(TRACHEA.name if structure_called(plain) is TRACHEA else plain)
    return tuple(dict.fromkeys(checked))


def organ_masks(source: CaseSource, names: Sequence[str]) -> dict[str, Mask]:
    """Read the masks of those organs that a case has a segmentation of; an empty mask is left out.

    A mask file is called as the organ and lies beside that of the thyroid or the trachea; a file of several structures
    has a label or segment of that name. Case, accents and the spelling "oesophagus" make no difference.

    Raises
    ------
    InputError
        A file cannot be read, or two segments have the name of one organ and lie on different grids.
    """
    found = _from_file(source.labels_path, source, names) if source.labels_path else _from_masks(source, names)
    return {name: mask for name, mask in found.items() if not mask.is_empty}


def organ_called(name: str, names: Sequence[str]) -> str | None:
    """Return that of some names of organs which a file or segment has, or None."""
    return {_key(each): each for each in names}.get(_key(name))


def organ_files(source: CaseSource, names: Sequence[str]) -> dict[str, Path]:
    """Return the mask files of organs beside those of a case's thyroid and trachea; none for a file of several."""
    files: dict[str, Path] = {}
    folders = () if source.labels_path else dict.fromkeys(path.parent for path in source.files)
    for folder in folders:
        for path in sorted(folder.iterdir()):
            name = organ_called(stem_of(path), names)
            if name is not None and path.is_file() and is_image_file(path.name):
                files.setdefault(name, path)
    return files


def _from_masks(source: CaseSource, names: Sequence[str]) -> dict[str, Mask]:
    return {name: read_mask(path) for name, path in organ_files(source, names).items()}


def _from_file(path: Path, source: CaseSource, names: Sequence[str]) -> dict[str, Mask]:
    opened = open_segmentation(path, labels=source.labels)
    chosen = {name: [s for s in opened.segments if _key(s.name) == _key(name)] for name in names}
    found = {}
    for name, segments in chosen.items():
        if segments:
            found[name] = joined_masks(opened.masks_of(segments), source=f"the {name} in {path}")
    return found


def _key(name: str) -> str:
    return normalised(name).replace("oesophagus", "esophagus")
