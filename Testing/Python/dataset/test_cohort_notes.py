"""Cases that stand out among the others of a cohort: its bounding box, and thyroids that are the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.mask_files import affine, two_masks, write_case
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.prepare import PrepareOptions, check_cases, prepare_cohort
from ThyroidSynthLib.dataset.quality_table import read_quality_table

FEW = PrepareOptions(samples_per_shape=200)
GLAND, TRACHEA = two_masks((44, 40, 48))
# One lobe is shorter, so that the mirrored gland is another one.
GLAND[:16, :, 24:] = 0


def different(number: int) -> np.ndarray:
    """Return the gland without its outermost voxels in some of the slices."""
    gland = GLAND.copy()
    gland[: 13 + 3 * number] = 0
    return gland


def dataset(folder: Path, glands: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Path:
    for name, (gland, trachea, ras) in glands.items():
        write_case(folder / name, gland, trachea, ras)
    return folder


def test_a_case_with_an_unusual_bounding_box_is_noted_and_does_not_set_the_scale(tmp_path):
    glands = {f"s{number}": (different(number), TRACHEA, affine()) for number in range(4)}
    long = GLAND.copy()
    k, j, i = np.ogrid[tuple(slice(0, n) for n in GLAND.shape)]
    # A goitre that reaches further to one side, where j and i grow to the patient's back and left.
    long |= ((k - 22) ** 2 + (j - 14) ** 2 + ((i - 37) / 1.4) ** 2 <= 36).astype(np.uint8) & (1 - TRACHEA)
    source = dataset(tmp_path / "d", {**glands, "goitre": (long, TRACHEA, affine())})
    summary = prepare_cohort(source, tmp_path / "c", FEW, workers=1)
    assert summary.accepted == 5
    (note,) = summary.notes
    cohort = Cohort.open(tmp_path / "c")
    beyond = cohort.frame.lower_mm[0] - cohort.surface("goitre").bounds[0][0]
    assert note.startswith("goitre: its bounding box is unusual: it reaches ")
    assert note.endswith("mm further left than the other cases; check its masks, or exclude it")
    rows = {row.id: row for row in read_quality_table(tmp_path / "c" / "quality.csv")}
    assert rows["goitre"].accepted and any("bounding box" in text for text in rows["goitre"].notes)
    assert not any("bounding box" in text for row in rows.values() if row.id != "goitre" for text in row.notes)
    assert int(note.split("reaches ")[1].split()[0]) == round(beyond)
    # The frame is that of the others.
    prepare_cohort(source, tmp_path / "c", PrepareOptions(samples_per_shape=200, exclude=("goitre",)), workers=1)
    assert Cohort.open(tmp_path / "c").frame.to_json() == cohort.frame.to_json()


def test_a_thyroid_that_two_cases_share_is_noted_also_when_moved(tmp_path):
    moved = affine(origin=(-35.3, 41.7, 112.0))
    rolled = [np.roll(mask, 3, axis=0) for mask in (GLAND, TRACHEA)]
    glands = {
        "a": (GLAND, TRACHEA, affine()),
        "b": (GLAND, TRACHEA, moved),
        "c": (*rolled, affine()),
        "other": (different(3), TRACHEA, affine()),
        "mirrored": (GLAND[:, :, ::-1], TRACHEA[:, :, ::-1], affine()),
    }
    summary = check_cases(dataset(tmp_path / "d", glands), tmp_path / "c", FEW, workers=1)
    assert summary.accepted == 5
    assert summary.notes == (
        "a: its thyroid is the same as in b, c; if it is one patient, exclude one",
        "b: its thyroid is the same as in a, c; if it is one patient, exclude one",
        "c: its thyroid is the same as in a, b; if it is one patient, exclude one",
    )


def test_each_of_many_equal_thyroids_names_the_others(tmp_path):
    names = list("abcdef")
    glands = {name: (GLAND, TRACHEA, affine()) for name in names}
    summary = check_cases(dataset(tmp_path / "d", glands), tmp_path / "c", FEW, workers=1)
    assert summary.notes == tuple(
        f"{name}: its thyroid is the same as in {', '.join(each for each in names if each != name)}; if it is one "
        "patient, exclude one"
        for name in names
    )


def test_a_nearly_equal_thyroid_is_noted_and_few_cases_have_no_usual_box(tmp_path):
    inner = GLAND * np.prod([np.roll(GLAND, step, axis=axis) for axis in range(3) for step in (1, -1)], axis=0)
    surface = np.argwhere(GLAND - inner)
    nearly = GLAND.copy()
    # Single voxels of its surface, about 1 % of the volume.
    nearly[tuple(surface[:: len(surface) // 40].T)] = 0
    assert 0 < GLAND.sum() - nearly.sum() < 0.02 * GLAND.sum()
    glands = {"a": (GLAND, TRACHEA, affine()), "b": (nearly, TRACHEA, affine())}
    summary = check_cases(dataset(tmp_path / "d", glands), tmp_path / "c", FEW, workers=1)
    assert [note[:2] for note in summary.notes] == ["a:", "b:"]
    assert all("the same as in" in note for note in summary.notes)


@pytest.mark.parametrize("alignment", [None, "trachea"])
def test_a_cohort_is_upright_unless_another_alignment_is_chosen(tmp_path, alignment):
    source = dataset(tmp_path / "d", {"a": (GLAND, TRACHEA, affine())})
    options = FEW if alignment is None else PrepareOptions(samples_per_shape=200, alignment=alignment)
    prepare_cohort(source, tmp_path / "c", options, workers=1)
    assert Cohort.open(tmp_path / "c").frame.alignment == (alignment or "upright")
