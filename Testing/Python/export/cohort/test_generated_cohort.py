"""The folder of a generated cohort: complete, verifiable, and replaced only on request."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.box_thyroids import BOX, FACES, a_thyroid, read_manifest, write_cohort
from ThyroidSynthLib.common.errors import Cancelled, InputError, OutputError
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.export.cohort.generated_cohort import check_files
from ThyroidSynthLib.export.merging import MergeRules
from ThyroidSynthLib.export.surroundings import Surroundings
from ThyroidSynthLib.export.thyroid_files import FileOptions
from ThyroidSynthLib.export.writing import DICOM_FORMATS, write_ct_series
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_map_files import LABEL_FORMATS
from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.imaging.segmentations.opening import read_structure
from ThyroidSynthLib.imaging.volume_files import files_of_image, read_grid, read_volume


def test_the_manifest_lists_every_file_with_seed_code_and_targets(tmp_path):
    result = write_cohort(
        (a_thyroid(n) for n in range(3)),
        tmp_path / "cohort",
        placement=Placement.at([100.0, -20.0, 30.0]),
        options=FileOptions(mesh_formats=("ply", "stl")),
        specification={"seed": 42},
    )
    manifest, rows = read_manifest(result.folder)
    assert (result.count, result.valid, result.attempts) == (3, 3, 6)
    assert (manifest["complete"], manifest["count"], len(rows)) == (True, 3, 3)
    assert manifest["model"]["checksum"] == "feed" and manifest["trained_on_synthetic_cohort"] is True
    assert "Not for clinical use" in manifest["notice"]
    listed = {file["path"]: file["sha256"] for entry in manifest["thyroids"] for file in entry["files"]}
    on_disk = {p.relative_to(result.folder).as_posix() for p in result.folder.glob("*/*")}
    assert set(listed) == on_disk and len(listed) == 9
    assert all(sha256_of(result.folder / path) == checksum for path, checksum in listed.items())
    second = manifest["thyroids"][1]
    assert np.array_equal(np.float32(second["code"]), a_thyroid(1).thyroid.code)
    assert second["targets"] == {"volume_ml": 16.0, "isthmus_area_mm2": None, "symmetry": None}
    assert rows[1]["target_volume_ml"] == "16.0" and rows[1]["target_symmetry"] == ""
    assert np.array_equal(np.float32(rows[1]["code"].split()), a_thyroid(1).thyroid.code)
    labels = read_volume(result.folder / "label_maps" / "t00002.nii.gz")
    assert np.allclose(labels.center_of_mass_ras(), [100.0, -20.0, 30.0], atol=0.8)
    assert float(rows[1]["label_volume_ml"]) == pytest.approx(second["measured"]["volume_ml"], rel=0.1)


@pytest.mark.parametrize("label_format", LABEL_FORMATS)
def test_label_maps_of_every_format_are_listed_with_all_their_files_and_read_as_the_thyroid(tmp_path, label_format):
    write_cohort([a_thyroid()], tmp_path, options=FileOptions(label_format=label_format))

    entry = read_manifest(tmp_path)[0]["thyroids"][0]
    path = tmp_path / "label_maps" / f"t00001.{label_format}"
    listed = [file["path"] for file in entry["files"]]
    assert listed == [each.relative_to(tmp_path).as_posix() for each in files_of_image(path)]
    assert check_files(tmp_path) == len(listed)
    found, notes = read_structure(path, THYROID)
    assert found.volume_ml == pytest.approx(entry["label_volume_ml"]) and notes == ()


@pytest.mark.parametrize("label_format", DICOM_FORMATS)
def test_label_maps_in_dicom_lie_on_the_series_of_the_grid(tmp_path, label_format):
    series = tmp_path / "ct"
    matrix = np.diag([1.0, 1.0, 2.0, 1.0])
    matrix[:3, 3] = [-25.0, -25.0, -32.0]
    write_ct_series(Volume(np.zeros((32, 50, 50)), matrix), series)
    options = FileOptions(label_format=label_format, grid=read_grid(series), series=series)

    write_cohort([a_thyroid(), a_thyroid(1)], tmp_path / "out", options=options)

    for entry in read_manifest(tmp_path / "out")[0]["thyroids"]:
        (file,) = entry["files"]
        found, _ = read_structure(tmp_path / "out" / file["path"], THYROID)
        assert found.volume_ml == pytest.approx(entry["label_volume_ml"], rel=1e-6)
        # Contours without images beside them are filled on a grid of their own.
        assert label_format != "seg.dcm" or found.scan.shape == (32, 50, 50)
    with pytest.raises(InputError, match="--grid"):
        FileOptions(label_format=label_format)


def test_a_thyroid_cut_by_the_given_grid_is_reported(tmp_path):
    grid = Grid((30, 30, 27), np.diag([1.0, 1.0, 2.0, 1.0]) + np.array([[0, 0, 0, -13]] * 2 + [[0] * 4] * 2))
    result = write_cohort([a_thyroid()], tmp_path, options=FileOptions(grid=grid, label_format="nrrd"))
    assert result.cut_by_grid == 1
    assert read_manifest(tmp_path)[0]["thyroids"][0]["within_grid"] is False
    assert read_volume(tmp_path / "label_maps" / "t00001.nrrd").array.shape == (30, 30, 27)


def test_an_open_surface_is_listed_without_a_label_map(tmp_path):
    write_cohort([a_thyroid(closed=False)], tmp_path, options=FileOptions(mesh_formats=("obj",)))
    entry = read_manifest(tmp_path)[0]["thyroids"][0]
    assert entry["validity"]["ok"] is False
    assert [file["path"] for file in entry["files"]] == ["meshes/t00001.obj"]


def test_an_error_leaves_complete_files_and_a_manifest_of_exactly_these(tmp_path):
    def breaking():
        yield a_thyroid(0)
        yield a_thyroid(1)
        raise RuntimeError("failure")

    with pytest.raises(RuntimeError):
        write_cohort(breaking(), tmp_path)
    manifest, rows = read_manifest(tmp_path)
    assert (manifest["complete"], manifest["count"], len(rows)) == (False, 2, 2)
    assert sorted(p.name for p in (tmp_path / "label_maps").iterdir()) == ["t00001.nii.gz", "t00002.nii.gz"]


def test_cancelling_keeps_what_is_written(tmp_path):
    with pytest.raises(Cancelled):
        write_cohort((a_thyroid(n) for n in range(9)), tmp_path, should_stop=lambda: True)
    assert read_manifest(tmp_path)[0]["count"] == 1


def test_a_thyroid_that_cannot_be_written_leaves_none_of_its_files(tmp_path, monkeypatch):
    from ThyroidSynthLib.export import thyroid_files

    def failing(*arguments, **options):
        raise OutputError("disk full")

    def thyroids():
        yield a_thyroid(0)
        monkeypatch.setattr(thyroid_files, "write_meshes", failing)
        yield a_thyroid(1)

    with pytest.raises(OutputError, match="disk full"):
        write_cohort(thyroids(), tmp_path, options=FileOptions(mesh_formats=("ply",)))
    assert sorted(path.name for path in tmp_path.rglob("t0*")) == ["t00001.nii.gz", "t00001.ply"]
    assert not list(tmp_path.glob(".*"))
    assert read_manifest(tmp_path)[0]["count"] == 1


def test_an_earlier_cohort_is_kept_if_the_first_thyroid_cannot_be_written(tmp_path, monkeypatch):
    from ThyroidSynthLib.export import thyroid_files

    write_cohort([a_thyroid()], tmp_path)
    before = sorted(path for path in tmp_path.rglob("*"))

    def failing(*arguments, **options):
        raise OutputError("disk full")

    monkeypatch.setattr(thyroid_files, "write_labels", failing)
    with pytest.raises(OutputError, match="disk full"):
        write_cohort([a_thyroid(3)], tmp_path, overwrite=True)
    assert sorted(path for path in tmp_path.rglob("*")) == before
    assert check_files(tmp_path) == 1


def test_a_killed_process_leaves_a_valid_manifest_and_complete_files(tmp_path):
    script = (
        "import itertools, sys; sys.path[:0] = sys.argv[2:]\n"
        "from support.box_thyroids import a_thyroid, write_cohort\n"
        "write_cohort(map(a_thyroid, itertools.count()), sys.argv[1])\n"
    )
    paths = [str(Path(__file__).parent), *filter(None, sys.path)]
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "cohort"), *paths])
    try:
        manifest = tmp_path / "cohort" / "manifest.json"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (manifest.exists() and b"t00003" in manifest.read_bytes()):
            assert child.poll() is None
            time.sleep(0.01)
    finally:
        child.kill()
        child.wait()
    listed, rows = read_manifest(tmp_path / "cohort")
    assert listed["complete"] is False and listed["count"] == len(listed["thyroids"]) >= 3
    assert listed["count"] - len(rows) in (0, 1)
    for entry in listed["thyroids"]:
        for file in entry["files"]:
            assert sha256_of(tmp_path / "cohort" / file["path"]) == file["sha256"]


def test_an_earlier_cohort_is_replaced_only_on_request(tmp_path):
    write_cohort([a_thyroid(n) for n in range(3)], tmp_path)
    (tmp_path / "my notes.txt").write_text("keep")
    with pytest.raises(OutputError, match="already holds a generated cohort"):
        write_cohort([a_thyroid()], tmp_path)
    write_cohort([a_thyroid(5)], tmp_path, overwrite=True)
    assert read_manifest(tmp_path)[0]["count"] == 1
    assert [p.name for p in (tmp_path / "label_maps").iterdir()] == ["t00001.nii.gz"]
    assert (tmp_path / "my notes.txt").read_text() == "keep"


def test_overwriting_never_removes_files_outside_the_folder(tmp_path):
    folder, precious = tmp_path / "cohort", tmp_path / "precious.txt"
    precious.write_text("keep")
    folder.mkdir()
    (folder / "manifest.json").write_text(
        json.dumps({"kind": "generated cohort", "thyroids": [{"files": [{"path": "../precious.txt"}]}]})
    )
    write_cohort([a_thyroid()], folder, overwrite=True)
    assert precious.read_text() == "keep"


@pytest.mark.parametrize(
    "options", [{"label_format": "hdr"}, {"mesh_formats": ("vtk",)}, {"spacing_mm": 0.0}, {"tetrahedra": ("msh",)}]
)
def test_impossible_options_are_rejected(options):
    with pytest.raises(OutputError):
        FileOptions(**options)


def test_unmet_targets_are_counted_and_listed(tmp_path):
    fitting = replace(a_thyroid(0, met=True), targets=Targets(volume_ml=a_thyroid(0).thyroid.measured.volume_ml))
    thyroids = [fitting, a_thyroid(1, met=False)]

    written = write_cohort(thyroids, tmp_path / "out", options=FileOptions(label_format=None))

    assert written.unmet == 1
    entries = json.loads((tmp_path / "out" / "manifest.json").read_text())["thyroids"]
    assert [(entry["met"], entry["distance"]) for entry in entries] == [(True, 1.5), (False, 1.5)]


def a_box(low, high) -> Surface:
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    return Surface((low + high) / 2 + BOX * (high - low) / 2, FACES)


def test_overlap_with_a_structure_is_measured_or_removed(tmp_path):
    at = Placement.at([100.0, -20.0, 30.0])
    # A quarter of the thyroid along x, far beyond it along the other axes.
    structure = a_box([106.1, -60, -60], [140, 60, 90])
    reported = write_cohort(
        [a_thyroid()], tmp_path / "r", placement=at, surroundings=Surroundings({"trachea": structure})
    )
    overlap_removed = write_cohort(
        [a_thyroid(met=True)],
        tmp_path / "c",
        placement=at,
        surroundings=Surroundings({"trachea": structure}, remove_overlap=True),
    )
    whole = a_thyroid().thyroid.measured.volume_ml
    (before,), (row,) = read_manifest(tmp_path / "r")[0]["thyroids"], read_manifest(tmp_path / "r")[1]
    after = read_manifest(tmp_path / "c")[0]["thyroids"][0]
    assert before["overlap_ml"]["trachea"] == pytest.approx(whole / 4, rel=0.03)
    assert float(row["overlap_ml"]) == pytest.approx(whole / 4, rel=0.03)
    # Whether the target of 15 mL is met is judged on what was written.
    assert (before["overlap_removed"], after["overlap_removed"], after["met"]) == (False, True, False)
    assert (after["measured_on"], overlap_removed.unmet) == ("label map", 1)
    assert after["written"]["volume_ml"] == after["label_volume_ml"]
    assert after["error"] == {"volume_ml": pytest.approx(after["label_volume_ml"] - 15.0)}
    assert (reported.overlapping, overlap_removed.overlapping) == (1, 1)
    assert after["measured"]["volume_ml"] == pytest.approx(0.75 * whole, rel=0.02)
    assert after["label_volume_ml"] == pytest.approx(0.75 * whole, rel=0.05)
    assert after["validity"]["ok"]


def test_thyroids_without_a_voxel_are_counted(tmp_path):
    far = Grid((2, 2, 2), np.diag([90.0, 90.0, 90.0, 1.0]) + np.array([[0, 0, 0, 45]] * 3 + [[0] * 4]))
    written = write_cohort([a_thyroid(met=True)], tmp_path, options=FileOptions(grid=far))
    (row,) = read_manifest(tmp_path)[1]
    assert (written.empty, written.unmet) == (1, 1)
    assert (row["written_volume_ml"], row["error_volume_ml"], row["met"]) == ("0", "-15", "False")


def test_names_that_are_not_utf_8_are_kept_in_the_manifest(tmp_path):
    around = Surroundings({"M\udcfcll": a_box([10.0, -60, -60], [40, 60, 90])})
    write_cohort([a_thyroid(), a_thyroid(1)], tmp_path, surroundings=around, specification={"at": "M\udcfcll"})
    manifest, rows = read_manifest(tmp_path)
    assert [list(entry["overlap_ml"]) for entry in manifest["thyroids"]] == [["M\udcfcll"]] * 2
    assert (manifest["specification"]["at"], len(rows)) == ("M\udcfcll", 2)


def test_a_merged_map_is_written_for_each_thyroid(tmp_path):
    from ThyroidSynthLib.geometry.volume import Volume
    from ThyroidSynthLib.imaging.label_maps import LabelMap
    from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map

    array = np.zeros((50, 40, 60), dtype=np.uint8)
    array[:, 18:22, 28:32] = 1
    patient = LabelMap(Volume(array, np.diag([1.0, 1.0, 1.0, 1.0])), {1: "trachea", 2: "thyroid_gland"})
    options = FileOptions(label_format="nrrd", merge_into=patient, merge_rules=MergeRules(overwrite=True))
    write_cohort([a_thyroid()], tmp_path, placement=Placement.at([30.0, 20.0, 25.0]), options=options)
    entry = read_manifest(tmp_path)[0]["thyroids"][0]
    assert [file["path"] for file in entry["files"]] == ["label_maps/t00001.nrrd", "merged/t00001.seg.nrrd"]
    merged = read_label_map(tmp_path / "merged" / "t00001.seg.nrrd")
    assert merged.names == patient.names
    assert (merged.volume.array == 2).sum() / 1000 == pytest.approx(entry["merged"]["written_ml"])
    assert entry["merged"]["overlaps"][0]["name"] == "trachea"
    assert entry["merged"]["written_ml"] == pytest.approx(entry["measured"]["volume_ml"], rel=0.1)
    assert (tmp_path / "merged_labels.csv").read_text().splitlines() == ["label,name", "1,trachea", "2,thyroid_gland"]


def test_a_cohort_is_complete_only_if_its_files_match_their_checksums(tmp_path):
    def thyroids():
        yield a_thyroid(0)
        (tmp_path / "label_maps" / "t00001.nii.gz").write_bytes(b"spoilt")
        yield a_thyroid(1)

    with pytest.raises(OutputError, match="differs from what was written"):
        write_cohort(thyroids(), tmp_path)
    assert read_manifest(tmp_path)[0]["complete"] is False
    write_cohort([a_thyroid(2)], tmp_path, overwrite=True)
    assert check_files(tmp_path) == 1


@pytest.mark.parametrize(("space", "sign"), [("LPS", -1), ("RAS", 1)])
def test_meshes_are_written_in_the_chosen_space_and_maps_in_the_chosen_spacing(tmp_path, space, sign):
    import trimesh

    options = FileOptions(mesh_formats=("ply",), mesh_space=space, spacing_mm=(1.0, 1.5, 3.0))
    write_cohort([a_thyroid()], tmp_path, placement=Placement.at([100.0, -20.0, 30.0]), options=options)
    bounds = trimesh.load(tmp_path / "meshes" / "t00001.ply").bounds
    np.testing.assert_allclose(bounds.mean(axis=0), [sign * 100, sign * -20, 30], atol=1e-4)
    np.testing.assert_allclose(read_volume(tmp_path / "label_maps" / "t00001.nii.gz").spacing_mm, [1.0, 1.5, 3.0])
