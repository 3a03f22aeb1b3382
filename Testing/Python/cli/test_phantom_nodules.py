"""`phantom --nodules` and `--paint-ct`: nodules as labels with their materials, and a CT that follows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from support.example_case import example_dataset
from ThyroidSynthLib.cli.main import BAD_USAGE, FAILED, OK, main
from ThyroidSynthLib.imaging.label_map_files import names_in_file
from ThyroidSynthLib.imaging.volume_files import read_volume

TABLE = """phantom,part,diameter_mm,diameter_si_mm,composition,calcification,bulge
1,right,9,13,cystic,,
2,left,10,,solid,rim,0.25
,right,6,,mixed,,
"""


@pytest.fixture(scope="module")
def patient(tmp_path_factory) -> Path:
    """The folder of an example case with its CT."""
    return next(path for path in example_dataset(tmp_path_factory).iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def cohort(patient, tmp_path_factory) -> Path:
    """Two phantoms of one neck with nodules of a table, and their CTs."""
    folder = tmp_path_factory.mktemp("nodules")
    (folder / "nodules.csv").write_text(TABLE)
    options = ["--volume", "20", "--count", "2", "--nodules", str(folder / "nodules.csv"), "--paint-ct"]
    arguments = ["phantom", "example", "--at", str(patient), *options, "--workers", "1", "--quiet"]
    assert main([*arguments, "--out", str(folder / "p")]) == OK
    return folder / "p"


def _document(folder: Path) -> dict:
    return json.loads((folder / "phantom.json").read_text())


def test_each_phantom_has_its_nodules_of_the_table_as_labels_with_materials(cohort):
    of_phantoms = {1: ("cystic", 9.0, 13.0), 2: ("solid", 10.0, 10.0)}
    for number, own in of_phantoms.items():
        folder = cohort / f"phantom_{number:04d}"
        document, labels = _document(folder), read_volume(folder / "labels.nii.gz")
        nodules = document["nodules"]["nodules"]
        found = [(each["composition"], each["diameters_mm"][0], each["diameters_mm"][2]) for each in nodules]
        assert found == [own, ("mixed", 6.0, 6.0)]
        names = {name: label for label, name in names_in_file(folder / "labels.nii.gz").items()}
        materials = {each["name"]: each["material"] for each in document["labels"]}
        for each in nodules:
            inside = np.argwhere(labels.array == names[each["name"]])[:, ::-1]
            if each["calcification"] == "none":
                extents = (np.ptp(inside, axis=0) + 1) * labels.spacing_mm
                # The grid of this patient is along the axes of the body.
                assert (np.abs(extents - each["diameters_mm"]) <= labels.spacing_mm / 2 + 0.01).all()
            assert each["on_label_map"]["met"]
            assert each["composition"] in materials[each["name"]] or materials[each["name"]].startswith("nodule")
        assert "not learned" in document["nodules"]["statement"]
        assert ("calcification" in names) == (number == 2)
        assert document["nodules"]["features_without_nodules"]["volume_ml"] < document["written"]["volume_ml"]
        # Targets are those of the gland without its nodules' bulges.
        assert document["met"] is True and document["written"]["volume_ml"] == pytest.approx(20.0, rel=0.02)


def test_the_ct_follows_and_says_that_it_is_synthetic(cohort, patient):
    original = read_volume(patient / "ct.nii.gz")
    folder = cohort / "phantom_0001"
    painted, labels = read_volume(folder / "ct_synthetic.nii.gz"), read_volume(folder / "labels.nii.gz")
    assert painted.array.shape == original.array.shape and painted.array.dtype == original.array.dtype
    with gzip.open(folder / "ct_synthetic.nii.gz") as stream:
        assert stream.read(348)[148:].startswith(b"Synthetic CT")
    document = _document(folder)
    gland_hu = document["ct"]["gland_mean_hu"]
    gland, cyst = labels.array == 17, labels.array == 220
    assert painted.array[gland].mean() == pytest.approx(gland_hu, abs=35)
    assert painted.array[cyst].mean() < gland_hu - 40
    assert 0 < (painted.array != original.array).mean() < 0.7
    assert "ct_synthetic.nii.gz" in {file["path"] for file in document["files"]}


def test_the_own_gland_without_nodules_leaves_the_ct_as_it_is(patient, tmp_path):
    command = ["phantom", "example", "--at", str(patient), "--own", "--paint-ct", "--quiet"]
    assert main([*command, "--out", str(tmp_path / "p")]) == OK
    painted = read_volume(tmp_path / "p" / "ct_synthetic.nii.gz")
    assert np.array_equal(painted.array, read_volume(patient / "ct.nii.gz").array)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--nodules", "size=3"], BAD_USAGE, "no property 'size'"),
        (["--nodules", "none.csv"], FAILED, "none.csv does not exist"),
        (["--nodules", "diameter=60"], FAILED, "No nodule of the distribution fits"),
        (["--paint-ct", "--at"], FAILED, "has no CT that could follow the thyroid"),
    ],
)
def test_nodules_that_do_not_fit_and_a_neck_without_a_ct_are_refused(options, code, message, patient, tmp_path, capsys):
    if options[-1] == "--at":
        options = [*options, str(patient / "segmentations" / "trachea.nii.gz")]
    command = ["phantom", "example", *options, "--spacing", "2", "--quiet", "--out", str(tmp_path / "p")]
    try:
        found = main(command)
    except SystemExit as stop:
        found = stop.code
    assert found == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "p").exists() or not list((tmp_path / "p").iterdir())
