"""Thyroids are measured as they are written, and their targets are met there."""

from __future__ import annotations

import numpy as np
import pytest

from support.tiny_cohort import two_lobes
from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.export.cohort.cohort_making import CohortPlan, make_thyroids
from ThyroidSynthLib.export.cohort.generated_cohort import thyroid_writer
from ThyroidSynthLib.export.measuring import measured_as_written, measured_on_map
from ThyroidSynthLib.export.merging import MergeRules
from ThyroidSynthLib.export.surroundings import Surroundings
from ThyroidSynthLib.export.thyroid_files import FileOptions, write_thyroid_files
from ThyroidSynthLib.export.written_measure import WrittenMeasure
from ThyroidSynthLib.generation.thyroid import reconstruct
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.imaging.volume_files import read_volume

AT = Placement.at([40.0, -15.0, 120.0])


def a_patient(*, spacing: float = 1.5) -> LabelMap:
    """A map in which a thick rod, the trachea, takes a good part of any gland at `AT`."""
    size = int(100 / spacing)
    matrix = np.diag([spacing, spacing, spacing, 1.0])
    matrix[:3, 3] = np.array([40.0, -15.0, 120.0]) - spacing * (size - 1) / 2
    array = np.zeros((size, size, size), dtype=np.uint8)
    grid = Grid(array.shape, matrix)
    k, j, i = np.indices(array.shape)
    x, y, _ = np.moveaxis(grid.to_ras(np.stack([i, j, k], axis=-1)), -1, 0)
    array[(x - 48.0) ** 2 + (y + 15.0) ** 2 <= 36.0] = 16
    return LabelMap(Volume(array, matrix), {16: "trachea", 17: "thyroid_gland"})


def written_volumes(model, tmp_path, options, surroundings, targets):
    """Make thyroids to targets; return for each its entry and the volume of its thyroid in the file, in mL."""
    model.save(tmp_path / "model.safetensors")
    folder = tmp_path / "made"
    folder.mkdir()
    writer = thyroid_writer(folder, AT, options, surroundings)
    writer.folder.mkdir(exist_ok=True)
    plan = CohortPlan.of(model, tmp_path / "model.safetensors", seed=4, to_target=True, writer=writer)
    for made in make_thyroids(plan, targets):
        (name,) = [name for name in made.files if name.startswith(made.entry["measured_on"].split()[0])]
        volume = read_volume(writer.folder / name)
        label = made.entry["merged"]["thyroid_label"] if made.entry["merged"] else 1
        yield made, np.count_nonzero(volume.array == label) * volume.voxel_volume_ml


@pytest.mark.parametrize("how", ["overlap removed", "merged", "voxels of 5 mm"])
def test_the_volume_of_the_written_map_meets_the_target(small_model, tmp_path, how):
    median = float(np.median(small_model.features[:, 0]))
    targets = [Targets(volume_ml=share * median) for share in (0.9, 1.0, 1.1)]
    patient, surroundings = a_patient(), None
    options = FileOptions()
    if how == "merged":
        options = FileOptions(merge_into=patient)
    elif how == "overlap removed":
        rod = Volume((patient.volume.array == 16).astype(np.uint8), patient.volume.ijk_to_ras)
        surroundings = Surroundings({"trachea": surface_from_mask(rod)}, remove_overlap=True)
    else:
        options = FileOptions(spacing_mm=5.0)

    taken = []
    for made, volume_ml in written_volumes(small_model, tmp_path, options, surroundings, targets):
        target = made.entry["targets"]["volume_ml"]
        assert volume_ml == pytest.approx(target, rel=0.02)
        assert made.entry["met"] is True
        assert made.entry["written"]["volume_ml"] == pytest.approx(volume_ml)
        assert float(made.row["written_volume_ml"]) == pytest.approx(volume_ml, rel=1e-4)
        assert float(made.row["error_volume_ml"]) == pytest.approx(volume_ml - target, abs=1e-3)
        assert made.row["measured_on"] == ("merged map" if how == "merged" else "label map")
        shared = made.entry["merged"]["overlaps"] if how == "merged" else made.entry["overlap_ml"]
        taken.append(bool(shared))
    assert how == "voxels of 5 mm" or all(taken)


def test_what_a_thyroid_measures_as_written_is_what_its_files_hold(small_model, tmp_path):
    """The measure that steering uses, on a part of the map, and the files agree to the voxel."""
    options = FileOptions(merge_into=a_patient(), merge_rules=MergeRules(old_becomes=16))
    thyroid = reconstruct(small_model, 2)
    foreseen = WrittenMeasure(AT, options)(thyroid)

    written = write_thyroid_files(thyroid, "t", tmp_path, AT, options)
    assert foreseen.reduced and not foreseen.cut_off
    assert foreseen.thyroid.measured == written.as_written
    assert written.as_written.volume_ml == pytest.approx(written.merged.written_ml)
    assert written.merged.written_ml < written.merged.new_ml == pytest.approx(written.label_volume_ml, rel=0.02)


def test_an_isthmus_that_others_take_is_missing_as_written():
    surface = two_lobes(semi_axes_mm=(9.0, 8.0, 18.0), offset_mm=8.0, right_share=1.0)
    own = measure_features(surface)
    whole = voxelise(surface, Grid.around(surface, spacing_mm=1.5))
    middle = np.abs(whole.to_ras(np.stack(np.indices(whole.array.shape)[::-1], axis=-1))[..., 0]) < 1.6
    kept = Volume(np.where(middle, 0, whole.array), whole.ijk_to_ras)
    here = Placement(np.eye(4))

    found, on_map = measured_as_written(own, whole, kept, here)
    assert own.isthmus_area_mm2 > 50 and found.isthmus_area_mm2 == 0.0
    assert found.volume_ml == pytest.approx(kept.array.sum() * kept.voxel_volume_ml)
    assert on_map == measured_on_map(kept, here) and on_map.isthmus_area_mm2 == 0.0
    # Nothing was taken: only the voxels differ from the surface.
    same, _ = measured_as_written(own, whole, whole, here)
    assert (same.isthmus_area_mm2, same.symmetry) == (own.isthmus_area_mm2, own.symmetry)
    assert measured_as_written(own, None, None, here) == (own, None)


def test_lobes_that_coarse_voxels_join_have_an_isthmus_as_written():
    surface = two_lobes(semi_axes_mm=(9.0, 8.0, 18.0), offset_mm=10.5, right_share=1.0)
    own, here = measure_features(surface), Placement(np.eye(4))
    fine, coarse = (voxelise(surface, Grid.around(surface, spacing_mm=spacing)) for spacing in (1.0, 4.0))
    # The voxels on both sides of the plane are those of the lobes, 1.5 mm from it.
    joined = Volume(
        coarse.array | np.roll(coarse.array, 1, axis=2) | np.roll(coarse.array, -1, axis=2), coarse.ijk_to_ras
    )
    assert own.isthmus_area_mm2 == 0.0
    assert measured_as_written(own, fine, None, here)[0].isthmus_area_mm2 == 0.0
    written, on_map = measured_as_written(own, joined, None, here)
    assert written.isthmus_area_mm2 == on_map.isthmus_area_mm2 > 0


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_few_coarse_voxels_are_measured_as_blocks(count):
    matrix = np.diag([12.0, 12.0, 12.0, 1.0])
    matrix[0, 3] = -12.0 * (count - 1) / 2  # symmetric about the midsagittal plane
    row = Volume(np.ones((1, 1, count), dtype=np.uint8), matrix)
    found = measured_on_map(row, Placement(np.eye(4)))
    assert found.volume_ml == pytest.approx(count * 12**3 / 1000)
    # Roughly: the surface of a single voxel is that of a body of the same volume.
    assert 100 < found.isthmus_area_mm2 < 250
    assert found.symmetry == pytest.approx(1.0, abs=0.05)


def test_nothing_left_and_a_grid_that_cuts_are_different_faults(small_model):
    thyroid = reconstruct(small_model, 2)
    patient = a_patient()
    full = LabelMap(Volume(np.full_like(patient.volume.array, 16), patient.volume.ijk_to_ras), {16: "body"})
    with pytest.raises(SynthesisError, match="No voxel of the thyroid is left"):
        WrittenMeasure(AT, FileOptions(merge_into=full))(thyroid)
    elsewhere = WrittenMeasure(Placement.at([900.0, 0.0, 0.0]), FileOptions(merge_into=patient))(thyroid)
    assert elsewhere.cut_off
