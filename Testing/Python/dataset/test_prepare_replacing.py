"""A cohort that is replaced stays until the new one is complete."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from support import disk
from support.mask_files import affine, two_masks, write_case
from ThyroidSynthLib.common.errors import Cancelled, CohortError, OutputError
from ThyroidSynthLib.common.staging import STAGING_FOLDER
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.prepare import PrepareOptions, prepare_cohort

FEW = PrepareOptions(samples_per_shape=500)
OTHER = PrepareOptions(samples_per_shape=300, seed=1, overwrite=True)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for number, shape in enumerate([(40, 36, 44), (44, 36, 44), (40, 40, 44)]):
        write_case(tmp_path / "dataset" / f"s{number}", *two_masks(shape), affine())
    return tmp_path / "dataset"


def content(folder: Path) -> dict[str, bytes]:
    return {name: each for name, each in disk.content(folder).items() if not name.startswith(STAGING_FOLDER)}


def test_an_interrupted_replacement_keeps_the_earlier_cohort_and_is_resumed(dataset, tmp_path):
    folder = tmp_path / "c"
    prepare_cohort(dataset, folder, FEW, workers=1)
    (folder / "notes.txt").write_text("a user's")
    before = content(folder)
    steps = []

    with pytest.raises(Cancelled):
        prepare_cohort(dataset, folder, OTHER, workers=1, should_stop=lambda: bool(steps.append(1)) or len(steps) > 5)

    assert content(folder) == before and Cohort.open(folder).samples.shape == (3, 500, 4)
    assert list((folder / STAGING_FOLDER / "cases").iterdir()), "the new cohort was begun"
    # Another preparation discards it, and the same one resumes it.
    summary = prepare_cohort(dataset, folder, OTHER, workers=1)
    assert summary.reused == 3 and Cohort.open(folder).samples.shape == (3, 300, 4)
    assert (folder / "notes.txt").read_text() == "a user's" and not (folder / STAGING_FOLDER).exists()
    prepare_cohort(dataset, tmp_path / "anew", replace(OTHER, overwrite=False), workers=1)
    first, second = (Cohort.open(path) for path in (folder, tmp_path / "anew"))
    assert first.checksum == second.checksum and not list(folder.glob(".*"))


@pytest.mark.parametrize("grown", [False, True])
def test_a_cohort_is_there_while_it_is_prepared_again_unless_it_has_grown(dataset, tmp_path, grown):
    folder, steps = tmp_path / "c", []
    prepare_cohort(dataset, folder, FEW, workers=1)
    before = content(folder)
    if grown:
        write_case(dataset / "s9", *two_masks((40, 36, 48)), affine())
    last = 5 + grown

    with pytest.raises(Cancelled):
        # In the middle of the samples.
        prepare_cohort(dataset, folder, FEW, workers=1, should_stop=lambda: bool(steps.append(1)) or len(steps) > last)

    assert (folder / "cohort.json").exists() is not grown
    if not grown:
        assert content(folder) == before
    assert prepare_cohort(dataset, folder, FEW, workers=1).accepted == 3 + grown


def test_what_a_refused_command_finds_is_discarded(dataset, tmp_path):
    folder = tmp_path / "c"
    prepare_cohort(dataset, folder, FEW, workers=1)
    with pytest.raises(Cancelled):
        prepare_cohort(dataset, folder, OTHER, workers=1, should_stop=lambda: True)

    with pytest.raises(CohortError, match="prepared with other options"):
        prepare_cohort(dataset, folder, replace(OTHER, overwrite=False), workers=1)

    assert not list(folder.glob(".*"))


def test_a_users_file_with_the_name_of_a_new_surface_is_kept(dataset, tmp_path):
    folder = tmp_path / "c"
    prepare_cohort(dataset, folder, FEW, workers=1)
    write_case(tmp_path / "more" / "t9", *two_masks(), affine())
    (folder / "surfaces" / "t9.ply").write_bytes(b"a user's")

    with pytest.raises(OutputError, match=r"t9\.ply would be replaced"):
        prepare_cohort(tmp_path / "more", folder, OTHER, workers=1)

    assert (folder / "surfaces" / "t9.ply").read_bytes() == b"a user's" and len(Cohort.open(folder).ids) == 3
