"""Cohorts of phantoms as datasets for nnU-Net."""

import json

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.export.materials import standard_materials
from ThyroidSynthLib.export.neck.neck import Neck
from ThyroidSynthLib.export.phantom.phantom import Phantom
from ThyroidSynthLib.export.phantom.phantom_options import PhantomOptions
from ThyroidSynthLib.export.phantom_formats import NnunetFiles, write_dataset_json
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_map_files import names_in_file
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.imaging.segmentations.opening import read_structure
from ThyroidSynthLib.imaging.volume_files import read_volume

MATRIX = np.diag([1.0, 1.0, 2.0, 1.0])


def label_map(*labels: int, **names: int) -> LabelMap:
    array = np.zeros((3, 4, 12), np.uint8)
    array[1, 1, : len(labels)] = labels
    return LabelMap(Volume(array, MATRIX), {label: name for name, label in names.items()})


NECK = Neck(
    name="neck",
    filled=label_map(16, 200, trachea=16, soft_tissue=200),
    box=(slice(0, 3), slice(0, 4), slice(0, 12)),
    before=label_map(),
    placement=Placement(np.eye(4)),
)


def test_labels_are_consecutive_and_the_same_in_all_phantoms_whatever_their_nodules(tmp_path):
    writer = NnunetFiles.of(NECK, PhantomOptions(nodules=[], paint_ct=True))
    ct = Volume(np.full((3, 4, 12), 40, np.int16), MATRIX)
    nodular = {"thyroid_nodule_1": 220, "thyroid_nodule_2": 221}
    phantoms = (
        label_map(16, 17, 200, 220, 221, trachea=16, thyroid_gland=17, soft_tissue=200, **nodular),
        label_map(1, 2, 2, 3, soft_tissue=1, trachea=2, thyroid_gland=3),
    )
    folder = tmp_path / "nnunet" / "Dataset001_ThyroidPhantoms"
    for number, labels in enumerate(phantoms, start=1):
        name = f"phantom_{number:04d}"
        written = writer(Phantom(labels, standard_materials(), ct=ct), tmp_path, name)
        assert written == [
            folder / "labelsTr" / f"{name}.nii.gz",
            folder / "imagesTr" / f"{name}_0000.nii.gz",
        ]
    (tmp_path / "manifest.json").write_text('{"count": 2}')
    write_dataset_json(folder / "dataset.json", writer.classes)

    document = json.loads((folder / "dataset.json").read_text())
    names = ["background", "thyroid_gland", "thyroid_nodule", "calcification", "trachea", "soft_tissue"]
    assert document["labels"] == {name: label for label, name in enumerate(names)}
    assert (document["numTraining"], document["file_ending"]) == (2, ".nii.gz")
    first, second = (read_volume(folder / "labelsTr" / f"phantom_000{n}.nii.gz").array[1, 1] for n in (1, 2))
    assert first[:5].tolist() == [4, 1, 5, 2, 2] and second[:4].tolist() == [5, 4, 4, 1]
    assert (read_volume(folder / "imagesTr" / "phantom_0001_0000.nii.gz").array == 40).all()
    assert names_in_file(folder / "labelsTr" / "phantom_0001.nii.gz")[2] == "thyroid_nodule"
    found, _ = read_structure(folder / "labelsTr" / "phantom_0001.nii.gz", THYROID)
    assert found.volume.array.sum() == 1


def test_what_is_no_class_and_phantoms_without_ct_are_refused(tmp_path):
    with pytest.raises(InputError, match="--paint-ct"):
        NnunetFiles.of(NECK, PhantomOptions())
    writer = NnunetFiles.of(NECK, PhantomOptions(paint_ct=True, lobes=True))
    assert writer.classes[:3] == ("thyroid_right_lobe", "thyroid_left_lobe", "thyroid_isthmus")
    ct = Volume(np.zeros((3, 4, 12), np.int16), MATRIX)
    with pytest.raises(OutputError, match="thyroid_gland, which is no class"):
        writer(Phantom(label_map(17, thyroid_gland=17), standard_materials(), ct=ct), tmp_path, "a")
    with pytest.raises(OutputError, match="a has no CT"):
        writer(Phantom(label_map(16, trachea=16), standard_materials()), tmp_path, "a")
