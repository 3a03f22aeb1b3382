"""The folder of an example dataset: layout, file types, tables and reproducibility."""

import csv
import json

import numpy as np
import pytest
import SimpleITK

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.dataset.synthetic import write_example_dataset
from ThyroidSynthLib.imaging.volume_files import read_volume


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    steps = []
    folder = tmp_path_factory.mktemp("example") / "set"
    summary = write_example_dataset(
        folder,
        cases=4,
        seed=11,
        defective_share=0.25,
        workers=1,
        progress=lambda fraction, text: steps.append(fraction),
    )
    return summary, steps


def test_layout_is_that_of_the_training_dataset(dataset):
    summary, _ = dataset
    assert sorted(path.name for path in summary.folder.iterdir() if path.is_dir()) == [
        "s0000",
        "s0001",
        "s0002",
        "s0003",
    ]
    for truth in summary.truths:
        names = {path.name for path in (summary.folder / truth.case_id / "segmentations").iterdir()}
        assert (summary.folder / truth.case_id / "ct.nii.gz").is_file()
        assert "thyroid_gland.nii.gz" in names
        assert ("trachea.nii.gz" in names) == (truth.defect != "no trachea file")


def test_files_have_the_datasets_types_spacing_and_one_geometry(dataset):
    summary, _ = dataset
    root = summary.folder / "s0000"
    ct = read_volume(root / "ct.nii.gz")
    assert ct.array.dtype == np.int16
    for path in (root / "segmentations").iterdir():
        mask = read_volume(path)
        assert mask.array.dtype == np.uint8
        assert mask.array.shape == ct.array.shape
        assert mask.ijk_to_ras == pytest.approx(ct.ijk_to_ras, abs=1e-4)
        assert mask.spacing_mm == pytest.approx([1.5] * 3, abs=1e-5)
    assert not read_volume(root / "segmentations" / "heart.nii.gz").array.any()


def test_nifti_header_is_in_ras_and_states_that_it_is_synthetic(dataset):
    summary, _ = dataset
    image = SimpleITK.ReadImage(str(summary.folder / "s0000" / "ct.nii.gz"))
    assert "SYNTHETIC" in image.GetMetaData("descrip")
    # The rows of a NIfTI header are RAS: x, y and z increase with i, j and k.
    for axis, name in enumerate(("srow_x", "srow_y", "srow_z")):
        row = [float(value) for value in image.GetMetaData(name).split()]
        assert row[axis] > 1.4


def test_trachea_in_the_files_is_at_the_position_of_the_ground_truth(dataset):
    summary, _ = dataset
    truth = next(truth for truth in summary.truths if not truth.defect)
    trachea = read_volume(summary.folder / truth.case_id / "segmentations" / "trachea.nii.gz")
    assert trachea.center_of_mass_ras() == pytest.approx(
        [truth.trachea_x_mm, truth.trachea_y_mm, truth.trachea_z_mm], abs=1e-3
    )


def test_tables_list_every_case_as_synthetic(dataset):
    summary, steps = dataset
    with (summary.folder / "meta.csv").open(encoding="utf-8-sig", newline="") as stream:
        meta = list(csv.DictReader(stream, delimiter=";"))
    with (summary.folder / "ground_truth.csv").open(encoding="utf-8", newline="") as stream:
        truth = list(csv.DictReader(stream))
    assert [row["image_id"] for row in meta] == [row["case_id"] for row in truth]
    assert {row["institute"] for row in meta} == {"SYNTHETIC"}
    assert list(meta[0])[:6] == ["image_id", "age", "gender", "institute", "study_type", "split"]
    assert "not anatomy" in (summary.folder / "SYNTHETIC.txt").read_text(encoding="utf-8")
    record = json.loads((summary.folder / "ground_truth.json").read_text(encoding="utf-8"))
    assert record["synthetic"] is True and len(record["cases"]) == summary.cases == 4
    assert steps == [0.25, 0.5, 0.75, 1.0]


def test_the_files_do_not_depend_on_the_number_of_workers(dataset, tmp_path):
    summary, _ = dataset
    again = write_example_dataset(tmp_path / "set", cases=4, seed=11, defective_share=0.25, workers=2)
    first, second = (
        {str(path.relative_to(root)): sha256_of(path) for path in sorted(root.rglob("*")) if path.is_file()}
        for root in (summary.folder, again.folder)
    )
    assert first == second


def test_another_seed_gives_other_cases(dataset, tmp_path):
    other = write_example_dataset(tmp_path / "set", cases=1, seed=12, with_ct=False, workers=1)
    assert not (tmp_path / "set" / "s0000" / "ct.nii.gz").exists()
    assert other.truths[0].volume_ml != dataset[0].truths[0].volume_ml


@pytest.mark.parametrize("wrong", [{"cases": 0}, {"defective_share": 1.5}, {"seed": -1}, {"workers": 0}])
def test_numbers_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(InputError, match="Give"):
        write_example_dataset(tmp_path / "set", **{"cases": 1, **wrong})
    assert not (tmp_path / "set").exists()


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        write_example_dataset(tmp_path, cases=1)
    for folder in (tmp_path / "mine.txt", tmp_path / "mine.txt" / "new"):
        with pytest.raises(OutputError, match=r"mine\.txt is a file"):
            write_example_dataset(folder, cases=1)
