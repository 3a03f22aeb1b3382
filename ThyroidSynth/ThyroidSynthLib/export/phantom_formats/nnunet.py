"""A cohort of phantoms as a dataset that nnU-Net trains on: pairs of a CT and a label map with consecutive labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.files import read_json, write_json
from ThyroidSynthLib.export.cohort.manifest import MANIFEST_JSON
from ThyroidSynthLib.export.neck.neck import Neck
from ThyroidSynthLib.export.neck.phantom_labels import (
    CALCIFICATION,
    GLAND_PARTS,
    ISTHMUS,
    LEFT_LOBE,
    NODULE,
    RIGHT_LOBE,
)
from ThyroidSynthLib.export.phantom.phantom import Phantom, is_nodule
from ThyroidSynthLib.export.phantom.phantom_cohort import NNUNET_FOLDER, NNUNET_JSON
from ThyroidSynthLib.export.phantom.phantom_folder import NOTE
from ThyroidSynthLib.export.phantom.phantom_options import PhantomOptions
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_map_files import write_label_map
from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.imaging.volume_files import NOTE_KEY, write_volume

_ENDING = ".nii.gz"


@dataclass(frozen=True)
class NnunetFiles:
    """Writes the CT and the label map of each phantom of a cohort as a training case; can be pickled.

    Attributes
    ----------
    classes : tuple of str
        Names of the labels 1, 2, 3 and so on, which are the same in all phantoms. All nodules are one class.
    """

    classes: tuple[str, ...]

    @classmethod
    def of(cls, neck: Neck, options: PhantomOptions) -> NnunetFiles:
        """Return the writer of phantoms of a neck; `InputError` if no CT follows their thyroids."""
        if not options.paint_ct:
            raise InputError("A dataset for nnU-Net needs CTs that show the thyroids. Let them follow (--paint-ct).")
        gland = (RIGHT_LOBE, LEFT_LOBE, ISTHMUS) if options.lobes else (THYROID.name,)
        nodules = () if options.nodules is None else (NODULE, CALCIFICATION)
        others = [name for _, name in sorted(neck.filled.names.items()) if name not in (THYROID.name, *GLAND_PARTS)]
        return cls((*gland, *nodules, *others))

    def __call__(self, phantom: Phantom, cohort: Path, name: str) -> list[Path]:
        """Write the case of a phantom into the folder of its cohort, and return the files.

        Raises
        ------
        OutputError
            The phantom has no CT, or a structure that is no class, or a file cannot be written.
        """
        if phantom.ct is None:
            raise OutputError(f"{name} has no CT that shows its thyroid, which a case for nnU-Net needs.")
        numbers = {each: label for label, each in enumerate(self.classes, start=1)}
        volume = phantom.labels.volume
        table = np.zeros(max(phantom.labels.names, default=0) + 1, dtype=np.min_scalar_type(len(numbers)))
        for label, each in phantom.labels.names.items():
            known = NODULE if is_nodule(each) else each
            if known not in numbers:
                raise OutputError(f"{name} has the structure {each}, which is no class of the dataset.")
            table[label] = numbers[known]
        folder = cohort / NNUNET_FOLDER
        labels, image = folder / "labelsTr" / f"{name}{_ENDING}", folder / "imagesTr" / f"{name}_0000{_ENDING}"
        names = {label: each for each, label in numbers.items()}
        write_label_map(Volume(table[volume.array], volume.ijk_to_ras), labels, names=names, note=NOTE)
        write_volume(phantom.ct, image, metadata={NOTE_KEY: NOTE})
        return [labels, image]


def write_dataset_json(path: Path, classes: Iterable[str]) -> None:
    """Write the description of the dataset of a cohort whose manifest lists its phantoms, as nnU-Net (v2) reads it."""
    cohort = path.parents[NNUNET_JSON.count("/")]
    manifest = read_json(cohort / MANIFEST_JSON)
    write_json(
        path,
        {
            "name": "ThyroidPhantoms",
            "description": NOTE,
            "licence": "see dataset_card.md of the cohort",
            "channel_names": {"0": "CT"},
            "labels": {"background": 0, **{name: label for label, name in enumerate(classes, start=1)}},
            "numTraining": manifest["count"],
            "file_ending": _ENDING,
        },
    )
