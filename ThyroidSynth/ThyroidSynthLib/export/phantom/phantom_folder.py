"""The folder of one phantom: label map, volume fractions, materials, further files, and what is known of it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.files import sha256_of, write_json
from ThyroidSynthLib.common.results import check_replaceable, replacing_result
from ThyroidSynthLib.export.materials import write_materials_csv, write_materials_json
from ThyroidSynthLib.export.neck.phantom_labels import AIR
from ThyroidSynthLib.export.painting.recipe import SYNTHETIC
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_map_files import write_label_map
from ThyroidSynthLib.imaging.label_maps import BACKGROUND
from ThyroidSynthLib.imaging.volume_files import NOTE_KEY, write_volume

from .building import PHANTOM_KIND
from .phantom import Phantom
from .phantom_options import PhantomOptions

PHANTOM_FILE = "phantom.json"
LABELS, FRACTIONS = "labels", "fractions"
CT = "ct_synthetic.nii.gz"
MATERIALS_CSV, MATERIALS_JSON = "materials.csv", "materials.json"

NOTE = "Phantom with a modelled thyroid by ThyroidSynth; not for clinical use"


def write_phantom(phantom: Phantom, folder: Path, options: PhantomOptions) -> dict[str, Any]:
    """Write the files of a phantom into a folder, which is created, and return its document.

    The document is written last, as ``phantom.json``, with the names and checksums of the other files. `OutputError` if
    a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    labels, others = phantom.labels, set(folder.rglob("*"))
    for suffix in options.label_formats:
        write_label_map(labels.volume, folder / f"{LABELS}.{suffix}", names=labels.names, note=NOTE)
    with_air = {BACKGROUND: AIR, **labels.names}
    write_materials_csv(folder / MATERIALS_CSV, phantom.materials, with_air)
    write_materials_json(folder / MATERIALS_JSON, phantom.materials, with_air)
    if options.fractions:
        for name, share in phantom.fractions().items():
            path = folder / FRACTIONS / f"{name}.nii.gz"
            path.parent.mkdir(exist_ok=True)
            write_volume(Volume(share.astype(np.float32), labels.volume.ijk_to_ras), path, metadata={NOTE_KEY: NOTE})
    if phantom.ct is not None:
        write_volume(phantom.ct, folder / CT, metadata={NOTE_KEY: SYNTHETIC})
    for write in options.more_files:
        write(phantom, folder)
    document = {**phantom.document, "files": _checksums(folder, others)}
    write_json(folder / PHANTOM_FILE, document)
    return document


def save_phantom(phantom: Phantom, folder: Path, options: PhantomOptions, *, overwrite: bool) -> dict[str, Any]:
    """Write a phantom as the only result in a folder, and return its document.

    An earlier phantom there is replaced when the new one is complete. `OutputError` if there is one and `overwrite` is
    not set, if another file would be replaced, or if a file cannot be written.
    """
    document = folder / PHANTOM_FILE
    with replacing_result(document, PHANTOM_KIND, [], overwrite=overwrite, listing=phantom_files) as staging:
        return write_phantom(phantom, staging, options)


def check_phantom_room(
    folder: Path, options: PhantomOptions, *, overwrite: bool, inputs: Iterable[Path | None] = ()
) -> None:
    """Raise `OutputError` if saving a phantom would replace an input, an unrelated file, or one without `overwrite`."""
    names = [*(f"{LABELS}.{suffix}" for suffix in options.label_formats), MATERIALS_CSV, MATERIALS_JSON]
    document = folder / PHANTOM_FILE
    check_replaceable(document, PHANTOM_KIND, names, overwrite=overwrite, inputs=inputs, listing=phantom_files)


def phantom_files(document: Mapping[str, Any]) -> list[str]:
    """Return the names of a phantom's files but its document, relative to its folder."""
    return [str(file["path"]) for file in document["files"]]


def _checksums(folder: Path, others: Container[Path]) -> list[dict[str, str]]:
    """Return names and checksums of the files in a folder, without those that were there before."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path not in others)
    return [{"path": path.relative_to(folder).as_posix(), "sha256": sha256_of(path)} for path in files]
