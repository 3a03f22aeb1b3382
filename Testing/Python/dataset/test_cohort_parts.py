"""Parts of a cohort: own rows and checksum, frame and files of the whole cohort, and no copied samples."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.common.errors import CohortError, ModelError
from ThyroidSynthLib.dataset.cohort import Cohort, cohort_checksum
from ThyroidSynthLib.dataset.rows.row_view import RowView
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.training.loop import train


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_tiny_cohort(tmp_path_factory.mktemp("cohorts") / "tiny", cases=4, samples_per_shape=300)


def test_rows_of_a_part_are_its_cases(cohort: Cohort) -> None:
    part = cohort.part(["tiny03", "tiny01"])

    assert part.ids == ("tiny01", "tiny03") and part.held_out == ("tiny00", "tiny02")
    assert np.array_equal(part.features, cohort.features[[1, 3]])
    assert np.array_equal(part.samples, cohort.samples[[1, 3]])
    assert np.array_equal(part.surface("tiny03").vertices, cohort.surface("tiny03").vertices)
    assert part.frame is cohort.frame
    part.verify()
    with pytest.raises(CohortError, match="has no case tiny00"):
        part.surface("tiny00")


def test_a_part_records_the_whole_cohort(cohort: Cohort) -> None:
    part = cohort.part(["tiny00", "tiny01", "tiny03"])
    about = part.provenance()

    assert about["part"] == "3 of 4 cases, held out: 1"
    assert about["held_out"] == ["tiny02"]
    assert about["whole"] == {"checksum": cohort.checksum, "cases": 4}
    assert about["checksum"] == part.checksum == cohort_checksum(part.document) != cohort.checksum
    assert cohort.part(["tiny00", "tiny01", "tiny02"]).checksum != part.checksum
    assert "whole" not in cohort.provenance()


def test_all_cases_give_the_cohort_itself_and_parts_have_parts(cohort: Cohort) -> None:
    assert cohort.part(reversed(cohort.ids)) is cohort
    part = cohort.part(cohort.ids[:3]).part(["tiny02"])
    assert part.ids == ("tiny02",) and part.whole is cohort and len(part.held_out) == 3
    assert np.array_equal(part.samples[0], cohort.samples[2])


def test_no_ids_or_unknown_ids_are_refused(cohort: Cohort) -> None:
    with pytest.raises(CohortError, match="No case"):
        cohort.part([])
    with pytest.raises(CohortError, match="has no case other"):
        cohort.part(["tiny00", "other"])
    with pytest.raises(CohortError, match="has no case tiny03"):
        cohort.part(cohort.ids[:2]).part(["tiny03"])


def test_a_part_of_a_large_cohort_copies_no_samples(cohort: Cohort) -> None:
    # 8 GB of samples if anything copied them.
    huge = np.broadcast_to(np.float32(1.0), (10_000, 50_000, 4))
    ids = tuple(f"{number:05d}" for number in range(10_000))
    case = cohort.document["cases"][0]
    document = {**cohort.document, "cases": [{**case, "id": case_id} for case_id in ids]}
    whole = replace(cohort, ids=ids, features=np.ones((10_000, 3)), samples=huge, checksum="whole", document=document)
    tracemalloc.start()
    part = whole.part(ids[::2])
    drawn = part.samples[np.array([[4], [4_999]]), np.array([[1, 2, 3]])]
    few = part.samples[:10, :2000, :3]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert part.samples.shape == (5_000, 50_000, 4) and drawn.shape == (2, 3, 4) and few.shape == (10, 2000, 3)
    assert peak < 100e6


@pytest.mark.parametrize(
    "index",
    [
        1,
        -1,
        slice(None),
        slice(1, None),
        np.array([2, 0]),
        np.array([True, False, True]),
        (np.array([[2], [0]]), np.array([[5, 6], [0, 1]])),
        (slice(None), slice(3), slice(2)),
        (slice(None), np.array([3, 1])),
        (slice(0, 2), 4),
        (slice(None), slice(None), 1),
        (2, 3, 1),
    ],
)
def test_a_view_is_indexed_like_an_array_of_its_rows(index) -> None:
    whole = np.arange(5 * 7 * 4, dtype=np.float32).reshape(5, 7, 4)
    rows = np.array([4, 1, 2])
    assert np.array_equal(RowView(whole, rows)[index], whole[rows][index])


def test_a_view_refuses_indices_that_do_not_begin_with_rows() -> None:
    view = RowView(np.zeros((5, 7, 4)), np.array([4, 1]))
    assert len(view) == 2
    for index in (..., None, (..., 0)):
        with pytest.raises(IndexError):
            view[index]
    with pytest.raises(IndexError):
        view[2]


def test_training_on_a_part_equals_training_on_a_cohort_of_its_cases(cohort: Cohort) -> None:
    part = cohort.part(["tiny00", "tiny03"])
    copied = replace(part, samples=np.array(part.samples))
    settings = settings_for(
        "fast", "fixed", epochs=2, samples_per_shape=50, hidden_layers=1, hidden_width=8, latent_size=4, mirrored_size=2
    )
    model, other = (train(cases, settings, device="cpu") for cases in (part, copied))

    assert model.ids == ("tiny00", "tiny03") and np.array_equal(model.latent_table, other.latent_table)
    assert model.provenance["cohort"]["held_out"] == ["tiny01", "tiny02"]
    assert model.provenance["cohort"]["whole"]["checksum"] == cohort.checksum


def test_a_checkpoint_of_another_part_is_refused(cohort: Cohort, tmp_path: Path) -> None:
    settings = settings_for("fast", "fixed", epochs=1, samples_per_shape=50, hidden_layers=1, hidden_width=8)
    checkpoint = tmp_path / "checkpoint.safetensors"
    train(cohort.part(cohort.ids[:3]), settings, device="cpu", checkpoint_path=checkpoint)
    with pytest.raises(ModelError, match="another cohort"):
        train(cohort.part(cohort.ids[1:]), settings, device="cpu", checkpoint_path=checkpoint)
