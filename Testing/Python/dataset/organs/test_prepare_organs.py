"""Preparing organs beside the thyroid: their names, cases that lack some, and what a cohort holds of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from support.mask_files import affine, two_masks, write_case, write_nifti
from ThyroidSynthLib.common.errors import CohortError, InputError
from ThyroidSynthLib.dataset.case_sources import find_case
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.organs.reading import checked_names, organ_masks
from ThyroidSynthLib.dataset.prepare import PrepareOptions, prepare_cohort

OPTIONS = PrepareOptions(samples_per_shape=400, organs=("trachea", "esophagus"), alignment="trachea")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three cases with a trachea, the first two also with an oesophagus, a tube behind it."""
    root = tmp_path / "dataset"
    for number, shape in enumerate([(40, 36, 44), (44, 36, 44), (40, 40, 44)]):
        thyroid, trachea = two_masks(shape)
        write_case(root / f"s{number}", thyroid, trachea, affine())
        if number < 2:
            behind = np.roll(trachea, 8, axis=1) * (1 - trachea) * (1 - thyroid)
            write_nifti(root / f"s{number}" / "segmentations" / "Oesophagus.nii.gz", behind, affine())
    return root


def test_a_cohort_holds_each_organ_of_the_cases_that_have_it(dataset: Path, tmp_path: Path) -> None:
    summary = prepare_cohort(dataset, tmp_path / "cohort", OPTIONS, workers=1)

    cohort = Cohort.open(tmp_path / "cohort")
    assert summary.organs == {"trachea": 3, "esophagus": 2}
    assert cohort.organs["esophagus"].ids == ("s0", "s1") and cohort.organs["trachea"].ids == cohort.ids
    assert cohort.organs["trachea"].samples.shape == (3, 6000, 4)
    cohort.verify()
    part = cohort.part(["s1", "s2"])
    assert part.organs["esophagus"].ids == ("s1",) and part.checksum != cohort.checksum
    assert np.array_equal(part.organs["esophagus"].samples[0], cohort.organs["esophagus"].samples[1])
    assert "esophagus" not in cohort.part(["s2"]).organs
    # Another run keeps all samples and the checksum.
    before = (tmp_path / "cohort" / "organs" / "trachea" / "samples.npy").stat().st_mtime_ns
    again = prepare_cohort(dataset, tmp_path / "cohort", OPTIONS, workers=1)
    assert again.reused == 3 and Cohort.open(tmp_path / "cohort").checksum == cohort.checksum
    assert (tmp_path / "cohort" / "organs" / "trachea" / "samples.npy").stat().st_mtime_ns == before


def test_the_checksum_covers_the_organs(dataset: Path, tmp_path: Path) -> None:
    plain = PrepareOptions(samples_per_shape=400, alignment="trachea")
    for name, options in (("with", OPTIONS), ("without", plain)):
        prepare_cohort(dataset, tmp_path / name, options, workers=1)
    both, alone = (Cohort.open(tmp_path / name) for name in ("with", "without"))

    assert both.checksum != alone.checksum and alone.organs == {} and "organs" not in alone.document
    assert np.array_equal(both.samples[0], alone.samples[0])
    path = tmp_path / "with" / "organs" / "esophagus" / "samples.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CohortError, match="esophagus of s1 differs"):
        Cohort.open(tmp_path / "with").verify()


def test_a_cohort_of_other_organs_is_replaced_only_on_request(dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    prepare_cohort(dataset, folder, OPTIONS, workers=1)
    plain = PrepareOptions(samples_per_shape=400, alignment="trachea")

    with pytest.raises(CohortError, match=r"organs was \['trachea', 'esophagus'\], now none"):
        prepare_cohort(dataset, folder, plain, workers=1)
    prepare_cohort(
        dataset, folder, PrepareOptions(samples_per_shape=400, alignment="trachea", overwrite=True), workers=1
    )

    assert Cohort.open(folder).organs == {}
    assert not list(folder.rglob("organs/**/*.*"))


def test_a_mask_that_was_replaced_is_read_again(dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    prepare_cohort(dataset, folder, OPTIONS, workers=1)
    before = Cohort.open(folder).checksum
    segmentations = dataset / "s1" / "segmentations"
    (segmentations / "Oesophagus.nii.gz").unlink()

    summary = prepare_cohort(dataset, folder, OPTIONS, workers=1)

    assert summary.organs == {"trachea": 3, "esophagus": 1} and summary.reused == 2
    assert Cohort.open(folder).checksum != before


def test_an_organ_that_no_case_has_is_refused_by_its_name(dataset: Path, tmp_path: Path) -> None:
    options = PrepareOptions(samples_per_shape=400, organs=("spleen",), alignment="trachea")
    with pytest.raises(CohortError, match=r"has the organ 'spleen' near the gland\. Write its name"):
        prepare_cohort(dataset, tmp_path / "cohort", options, workers=1)


def test_names_are_those_of_folders_and_never_the_thyroid() -> None:
    assert checked_names([" Esophagus ", "windpipe", "trachea", "carotid left"]) == (
        "esophagus",
        "trachea",
        "carotid_left",
    )
    for wrong in ("", "../x", "a/b", "a.b", "x" * 80):
        with pytest.raises(InputError, match="cannot be the name of an organ"):
            checked_names([wrong])
    for wrong in ("thyroid", "Thyroid gland", "left lobe of the thyroid"):
        with pytest.raises(InputError, match="is the thyroid, which every model has"):
            checked_names([wrong])


def test_organs_are_read_from_a_label_map_by_the_names_that_the_user_gives(tmp_path: Path) -> None:
    thyroid, trachea = two_masks()
    labels = thyroid + 2 * trachea * (1 - thyroid)
    labels[5:9, 5:9, 5:9] = 7
    path = write_nifti(tmp_path / "labels.nii.gz", labels.astype(np.uint8), affine())
    source = find_case(path, labels={1: "thyroid", 2: "trachea", 7: "oesophagus"})

    found = organ_masks(source, ["esophagus", "spleen"])

    assert list(found) == ["esophagus"] and int(found["esophagus"].volume.array.sum()) == 64
    shutil.copy(path, tmp_path / "other.nii.gz")
