from __future__ import annotations

import json

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import CohortError, InputError, OutputError
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.cohort_writing import write_cohort_from_surfaces
from ThyroidSynthLib.geometry.features import FEATURE_NAMES, measure_features
from ThyroidSynthLib.geometry.isosurface import surface_from_sdf
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.ply import read_ply, write_ply


def _ellipsoid(radii_mm: tuple[float, float, float], center_mm: tuple[float, float, float]) -> Surface:
    x, y, z = np.meshgrid(*[np.linspace(-1.2, 1.2, 24)] * 3, indexing="ij")
    ball = surface_from_sdf(np.sqrt(x**2 + y**2 + z**2) - 1)
    return ball.moved((ball.vertices * 2.4 / 23 - 1.2) * radii_mm + center_mm)


SURFACES = [
    _ellipsoid((20, 10, 25), (1, 12, 30)),
    _ellipsoid((25, 12, 20), (-3, 15, 40)),
    _ellipsoid((15, 15, 15), (2, 8, 20)),
]
IDS = ["c", "a", "b"]


@pytest.fixture
def cohort(tmp_path) -> Cohort:
    return write_cohort_from_surfaces(tmp_path / "cohort", SURFACES, IDS, samples_per_shape=2000)


def test_rows_belong_to_ids_independently_of_the_order_of_the_surfaces(cohort):
    assert cohort.ids == ("a", "b", "c")
    for case_id, surface in zip(IDS, SURFACES, strict=True):
        row = cohort.ids.index(case_id)
        assert np.allclose(cohort.features[row], measure_features(surface).as_array(), rtol=1e-4)
        assert np.allclose(cohort.surface(case_id).vertices, surface.vertices, atol=1e-4)
    assert cohort.document["feature_names"] == list(FEATURE_NAMES)


def test_the_frame_is_the_largest_extent_along_each_axis(cohort):
    furthest = np.max([np.abs(surface.vertices).max(axis=0) for surface in SURFACES], axis=0)
    assert np.allclose(cohort.frame.scale_mm, furthest, atol=1e-4)
    assert np.allclose(cohort.frame.upper_mm, np.max([s.vertices.max(axis=0) for s in SURFACES], axis=0), atol=1e-4)


def test_samples_are_signed_distances_in_the_unit_frame(cohort):
    assert cohort.samples.shape == (3, 2000, 4) and cohort.samples.dtype == np.float32
    assert not cohort.samples.flags.writeable
    row = cohort.ids.index("c")
    points, sdf = cohort.samples[row, :, :3], cohort.samples[row, :, 3]
    on_surface = cohort.frame.to_mm(points[:1600])
    off = np.linalg.norm((on_surface - (1, 12, 30)) / (20, 10, 25), axis=1) - 1
    assert np.abs(off).max() < 0.01 and np.abs(sdf[:1600]).max() < 1e-5
    inside = np.linalg.norm((cohort.frame.to_mm(points[1600:]) - (1, 12, 30)) / (20, 10, 25), axis=1) < 0.99
    assert (sdf[1600:][inside] < 0).all() and inside.any()


def test_samples_depend_neither_on_the_number_of_workers_nor_on_the_folder(cohort, tmp_path):
    again = write_cohort_from_surfaces(tmp_path / "again", SURFACES, IDS, samples_per_shape=2000, workers=2)
    assert np.array_equal(again.samples, cohort.samples)
    assert again.checksum == cohort.checksum
    other = write_cohort_from_surfaces(tmp_path / "other", SURFACES, IDS, samples_per_shape=2000, seed=1)
    assert not np.array_equal(other.samples, cohort.samples) and other.checksum != cohort.checksum


def test_different_shapes_get_different_random_numbers(tmp_path):
    cohort = write_cohort_from_surfaces(tmp_path / "c", [SURFACES[0]] * 2, ["x", "y"], samples_per_shape=200)
    assert not np.array_equal(cohort.samples[0], cohort.samples[1])


def test_a_cohort_records_whether_it_is_synthetic(tmp_path):
    cohort = write_cohort_from_surfaces(
        tmp_path / "c", SURFACES[:1], ["x"], samples_per_shape=100, synthetic=True, statement="Not anatomy."
    )
    assert cohort.synthetic and cohort.statement == "Not anatomy."
    assert cohort.provenance()["synthetic"] is True and cohort.provenance()["checksum"] == cohort.checksum


def test_an_unknown_id_is_reported(cohort):
    with pytest.raises(CohortError, match="no case nobody"):
        cohort.surface("nobody")


def test_missing_unfinished_and_damaged_cohorts_are_reported(cohort, tmp_path):
    with pytest.raises(CohortError, match="does not exist"):
        Cohort.open(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CohortError, match="not a cohort"):
        Cohort.open(tmp_path / "empty")
    folder, path = cohort.folder, cohort.folder / "cohort.json"
    good = path.read_text()

    edited = json.loads(good)
    edited["cases"][0]["features"]["volume_ml"] += 1
    for broken, message in (
        (good[:-40], "damaged"),
        (json.dumps(edited), "checksum"),
        (json.dumps({**edited, "version": 99}), "version 99"),
        ("[]", "not the file of a cohort"),
    ):
        path.write_text(broken)
        with pytest.raises(CohortError, match=message):
            Cohort.open(folder)
    path.unlink()
    with pytest.raises(CohortError, match="not finished"):
        Cohort.open(folder)
    path.write_text(good)
    samples = (folder / "samples.npy").read_bytes()
    (folder / "samples.npy").write_bytes(samples[:-100])
    with pytest.raises(CohortError, match=r"samples\.npy"):
        Cohort.open(folder)


def test_verify_finds_a_changed_sample_or_surface(cohort):
    cohort.verify()
    path = cohort.folder / "samples.npy"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(CohortError, match="samples of c"):
        Cohort.open(cohort.folder).verify()
    (cohort.folder / "surfaces" / "a.ply").unlink()
    with pytest.raises(CohortError, match=r"a\.ply"):
        cohort.verify()


def test_a_folder_that_is_not_empty_is_refused(cohort):
    with pytest.raises(OutputError, match="not empty"):
        write_cohort_from_surfaces(cohort.folder, SURFACES, IDS)


@pytest.mark.parametrize("ids", [["a", "a", "b"], ["a", "../b", "c"], ["a", "", "c"]])
def test_ids_must_be_unique_file_names(tmp_path, ids):
    with pytest.raises(CohortError, match="own id"):
        write_cohort_from_surfaces(tmp_path / "c", SURFACES, ids, samples_per_shape=10)


def test_a_ply_is_read_as_written_and_by_others(tmp_path):
    import trimesh

    path = tmp_path / "s.ply"
    write_ply(SURFACES[0], path, comment="mm")
    assert np.array_equal(read_ply(path).faces, SURFACES[0].faces)
    other = trimesh.load(path, process=False)
    assert np.allclose(other.vertices, SURFACES[0].vertices, atol=1e-4) and other.is_watertight
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="damaged"):
        read_ply(path)
