"""The command `phantom`: complete label maps, targets met on them, cohorts that are continued, and its messages."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from support.example_case import example_dataset
from ThyroidSynthLib.cli.main import BAD_USAGE, FAILED, OK, main
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.export.measuring import measured_on_map
from ThyroidSynthLib.export.writing import write_ct_series
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_map_files import names_in_file
from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.imaging.masks import read_mask
from ThyroidSynthLib.imaging.mesh_files import read_mesh, write_mesh
from ThyroidSynthLib.imaging.segmentations.opening import read_structure
from ThyroidSynthLib.imaging.volume_files import read_volume

# Coarse, because every phantom is composed as a whole.
FAST = ("--spacing", "2", "--quiet")


@pytest.fixture(scope="module")
def patient(tmp_path_factory) -> Path:
    """The folder of an example case with its CT."""
    return next(path for path in example_dataset(tmp_path_factory).iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Path:
    """A phantom of the synthetic example neck."""
    folder = tmp_path_factory.mktemp("phantom") / "one"
    targets = ["--volume", "22", "--isthmus-area", "50", "--symmetry", "0.6"]
    assert main(["phantom", "example", *targets, *FAST, "--fractions", "--out", str(folder)]) == OK
    return folder


def _document(folder: Path) -> dict:
    return json.loads((folder / "phantom.json").read_text())


def test_a_phantom_has_a_label_in_every_voxel_of_the_body(one):
    volume = read_volume(one / "labels.nii.gz")
    names = names_in_file(one / "labels.nii.gz")

    assert set(np.unique(volume.array)) - {0} == set(names)
    assert {"thyroid_gland", "trachea", "esophagus", "fat", "muscle", "bone", "airway"} <= set(names.values())
    middle = volume.array[volume.array.shape[0] // 2]
    body = np.argwhere(middle)
    rows = middle[body[:, 0].min() + 3 : body[:, 0].max() - 3, middle.shape[1] // 2]
    assert (rows != 0).all()


def test_targets_are_met_on_the_label_map(one):
    document = _document(one)
    volume = read_volume(one / "labels.nii.gz")

    gland_ml = np.count_nonzero(volume.array == 17) * volume.voxel_volume_ml
    assert document["met"] is True
    assert gland_ml == pytest.approx(22.0, rel=0.01)
    assert document["written"]["volume_ml"] == pytest.approx(gland_ml)
    assert document["written"]["isthmus_area_mm2"] == pytest.approx(50.0, abs=1.0)
    assert document["overlap_mm3"] == {}


def test_the_document_states_neighbours_materials_and_the_checksum_of_every_file(one):
    document = _document(one)

    listed = {file["path"]: file["sha256"] for file in document["files"]}
    found = {path.relative_to(one).as_posix() for path in one.rglob("*") if path.is_file() and path.name[0] != "."}
    assert set(listed) | {"phantom.json"} == found
    assert all(sha256_of(one / name) == checksum for name, checksum in listed.items())
    assert {each["name"] for each in document["neighbours"]} >= {"esophagus", "common_carotid_artery_left"}
    assert max(abs(each["change"]) for each in document["neighbours"]) <= 0.02
    assert {each["name"]: each["material"] for each in document["labels"]}["thyroid_gland"] == "thyroid"
    with (one / "materials.csv").open(newline="") as stream:
        rows = {row["structure"]: row for row in csv.DictReader(stream)}
    assert float(rows["thyroid_gland"]["density_kg_m3"]) == pytest.approx(1050, abs=20)
    assert "air" in rows


def test_fractions_sum_up_to_one_and_to_the_volume_of_the_gland(one):
    shares = {path.name.removesuffix(".nii.gz"): read_volume(path) for path in (one / "fractions").iterdir()}

    total = sum(each.array.astype(float) for each in shares.values())
    assert np.abs(total - 1).max() <= 1e-6
    thyroid = shares["thyroid"]
    assert thyroid.array.sum(dtype=float) * thyroid.voxel_volume_ml == pytest.approx(
        _document(one)["measured"]["volume_ml"], rel=2e-3
    )


def test_the_patients_own_gland_keeps_every_voxel(patient, tmp_path):
    assert main(["phantom", "example", "--at", str(patient), "--own", "--quiet", "--out", str(tmp_path / "p")]) == OK

    volume = read_volume(tmp_path / "p" / "labels.nii.gz")
    own = read_mask(patient / "segmentations" / "thyroid_gland.nii.gz").whole()
    trachea = read_mask(patient / "segmentations" / "trachea.nii.gz").whole()
    assert np.array_equal(volume.array == 17, own.array != 0)
    assert np.array_equal(volume.array == 16, trachea.array != 0)
    assert _document(tmp_path / "p")["gland"] == "own"
    assert _document(tmp_path / "p")["motion"] is None


def test_a_given_gland_numbers_and_parts(patient, tmp_path):
    gland = patient / "segmentations" / "thyroid_gland.nii.gz"
    options = ["--gland", str(gland), "--parts", "--numbers", "trachea=1,thyroid_right_lobe=2", "--format", "nrrd,mha"]

    assert main(["phantom", "example", "--at", str(patient), *options, *FAST, "--out", str(tmp_path / "p")]) == OK

    names = names_in_file(tmp_path / "p" / "labels.mha")
    assert names[1] == "trachea"
    assert names[2] == "thyroid_right_lobe"
    assert "thyroid_left_lobe" in names.values()
    volume = read_volume(tmp_path / "p" / "labels.nrrd")
    lobes = [label for label, name in names.items() if name.startswith("thyroid_")]
    document = _document(tmp_path / "p")
    numbers = {each["name"]: each["label"] for each in document["labels"]}
    assert {each["name"]: each["label"] for each in document["neighbours"]}.items() <= numbers.items()
    assert document["source"]["gland"] == {"name": gland.name, "sha256": sha256_of(gland)}
    own = read_mask(gland)
    assert np.isin(volume.array, lobes).sum() * volume.voxel_volume_ml == pytest.approx(own.volume_ml, rel=0.02)


def test_features_of_a_thyroid_that_the_grid_cuts_are_those_of_what_is_left(patient, tmp_path):
    options = ["--own", "--shape", "40", "40", "12", *FAST, "--out", str(tmp_path / "p")]

    assert main(["phantom", "example", "--at", str(patient), *options]) == OK

    document, volume = _document(tmp_path / "p"), read_volume(tmp_path / "p" / "labels.nii.gz")
    assert document["within_grid"] is False
    left = Volume((volume.array == 17).astype(np.uint8), volume.ijk_to_ras)
    found = measured_on_map(left, Placement(np.array(document["trachea_to_ras"])))
    assert document["written"] == pytest.approx(found.as_dict(), rel=1e-4)
    assert document["written"]["symmetry"] != pytest.approx(document["measured"]["symmetry"], abs=1e-4)


def test_a_number_for_no_structure_and_a_mesh_in_other_coordinates_are_refused(patient, tmp_path, capsys):
    neck = ["phantom", "example", "--at", str(patient), *FAST, "--out", str(tmp_path / "p")]

    assert main([*neck, "--own", "--numbers", "thyroid=300"]) == FAILED
    message = capsys.readouterr().err
    assert "there is no structure 'thyroid'" in message
    assert "thyroid_gland" in message

    surface = surface_from_mask(read_mask(patient / "segmentations" / "thyroid_gland.nii.gz").volume)
    mesh = tmp_path / "other.stl"
    write_mesh(surface.moved(surface.vertices * (-1, -1, 1)), mesh)
    assert main([*neck, "--gland", str(mesh)]) == FAILED
    assert "outside the body" in capsys.readouterr().err


def test_a_phantom_of_a_trachea_alone_has_an_estimated_body(patient, tmp_path):
    trachea = patient / "segmentations" / "trachea.nii.gz"

    assert main(["phantom", "example", "--at", str(trachea), *FAST, "--out", str(tmp_path / "p")]) == OK

    document = _document(tmp_path / "p")
    assert document["source"]["body"].startswith("estimated")
    assert {each["name"] for each in document["labels"]} == {"thyroid_gland", "trachea", "soft_tissue"}


COHORT = ("--margin", "15", "--spacing", "2.5", "--count", "3", "--distribution", "cohort", "--workers", "1")


def test_a_cohort_is_continued_with_the_same_result(tmp_path, capsys):
    command = ["phantom", "example", *COHORT, "--out", str(tmp_path)]
    assert main([*command, "--quiet"]) == OK
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["kind"] == "phantom cohort"
    assert [each["id"] for each in manifest["phantoms"]] == ["phantom_0001", "phantom_0002", "phantom_0003"]
    assert all(each["met"] and not each["overlap_mm3"] for each in manifest["phantoms"])
    before = _checksums(tmp_path)
    # As a killed run leaves it: two phantoms are in the manifest.
    _cut_manifest(tmp_path, manifest)
    shutil.rmtree(tmp_path / "phantom_0003")

    assert main(command) == OK

    assert "Continues an interrupted run, which made 2 phantoms" in capsys.readouterr().err
    assert _checksums(tmp_path) == before


def test_an_earlier_cohort_is_replaced_only_on_request_and_other_files_never(one, tmp_path, capsys):
    folder = tmp_path / "p"
    shutil.copytree(one, folder)
    command = ["phantom", "example", *FAST, "--neck-seed", "3", "--out", str(folder)]

    assert main(command) == FAILED
    assert "--overwrite" in capsys.readouterr().err
    (folder / "notes.txt").write_text("mine")
    assert main([*command, "--overwrite"]) == OK

    assert (folder / "notes.txt").read_text() == "mine"
    assert not (folder / "fractions").exists()
    assert _document(folder)["source"]["neck_seed"] == 3


def test_a_folder_with_other_files_of_these_names_is_refused(tmp_path, capsys):
    (tmp_path / "labels.nii.gz").write_bytes(b"mine")

    assert main(["phantom", "example", *FAST, "--out", str(tmp_path)]) == FAILED

    assert "labels.nii.gz would be replaced" in capsys.readouterr().err
    assert (tmp_path / "labels.nii.gz").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--own", "--volume", "20"], "leave out all targets"),
        (["--ct", "ct.nii.gz"], "give --at, too"),
        (["--neck-seed", "1", "--at", "s0001"], "leave out --at or --neck-seed"),
        (["--margin", "20", "--shape", "9", "9", "9"], "leave one out"),
        (["--format", "tif"], "'tif' is not valid"),
        (["--numbers", "thyroid_gland=1,thyroid_gland=2"], "has two numbers"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["phantom", "example", *options, "--out", str(tmp_path / "p")])

    assert stop.value.code == BAD_USAGE
    assert message in capsys.readouterr().err


def test_a_ct_that_is_none_is_refused_by_name(patient, tmp_path, capsys):
    mask = patient / "segmentations" / "trachea.nii.gz"

    assert main(["phantom", "example", "--at", str(patient), "--ct", str(mask), "--out", str(tmp_path / "p")]) == FAILED

    message = capsys.readouterr().err
    assert str(mask) in message
    assert "choose the CT" in message


def _checksums(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files if path.suffix != ".png"}


def _cut_manifest(folder: Path, manifest: dict) -> None:
    kept = {**manifest, "phantoms": manifest["phantoms"][:2], "complete": False}
    (folder / "manifest.json").write_text(json.dumps(kept))


@pytest.fixture(scope="module")
def series(patient, tmp_path_factory) -> Path:
    """The patient's CT as a DICOM series, of every second voxel."""
    folder = tmp_path_factory.mktemp("dicom") / "ct"
    ct = read_volume(patient / "ct.nii.gz")
    write_ct_series(Volume(ct.array[::2, ::2, ::2], ct.ijk_to_ras @ np.diag([2, 2, 2, 1])), folder)
    return folder


def test_a_phantom_in_dicom_refers_to_the_patients_series_and_its_organs_are_meshes_in_one_frame(
    patient, series, tmp_path
):
    arguments = ["--at", str(patient), "--ct", str(series), "--grid", str(series), "--own", "--quiet"]
    formats = ["--format", "nii.gz,seg.dcm,rtstruct.dcm", "--mesh", "stl", "--mesh-space", "RAS"]
    assert main(["phantom", "example", *arguments, *formats, "--out", str(tmp_path / "out")]) == OK

    listed = {file["path"]: file["sha256"] for file in _document(tmp_path / "out")["files"]}
    assert {"labels.nii.gz", "labels.seg.dcm", "labels.rtstruct.dcm", "meshes/meshes.json"} < set(listed)
    volume = read_volume(tmp_path / "out" / "labels.nii.gz")
    gland = volume.array == 17
    uid = pydicom.dcmread(next(series.iterdir()), stop_before_pixels=True).SeriesInstanceUID
    seg = pydicom.dcmread(tmp_path / "out" / "labels.seg.dcm", stop_before_pixels=True)
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == uid
    for name in ("labels.seg.dcm", "labels.rtstruct.dcm"):
        found, _ = read_structure(tmp_path / "out" / name, THYROID)
        other = found.whole()
        where = np.rint(volume.to_ijk(other.to_ras(np.argwhere(other.array)[:, ::-1]))).astype(int)
        inside = (where >= 0).all(axis=1) & (where < gland.shape[::-1]).all(axis=1)
        shared = np.count_nonzero(gland[tuple(where[inside].T[::-1])])
        assert 2 * shared / (gland.sum() + other.array.sum()) > 0.98, name
    low, high = read_mesh(tmp_path / "out" / "meshes" / "thyroid_gland.stl").bounds
    positions = volume.to_ras(np.argwhere(gland)[:, ::-1])
    assert np.allclose([low, high], [positions.min(axis=0), positions.max(axis=0)], atol=4)


def test_dicom_without_images_is_refused_at_once_and_other_voxels_by_name(patient, series, tmp_path, capsys):
    out = ["--quiet", "--out", str(tmp_path / "out")]
    assert main(["phantom", "example", "--format", "rtstruct.dcm", *out]) == FAILED
    assert "--paint-ct" in capsys.readouterr().err
    arguments = ["--at", str(patient), "--ct", str(series), "--spacing", "4", "--format", "rtstruct.dcm"]
    assert main(["phantom", "example", *arguments, *out]) == FAILED
    assert f"--grid {series}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_cohort_has_a_card_and_a_dataset_for_nnunet_which_its_manifest_lists_and_a_new_one_replaces(tmp_path):
    out = tmp_path / "out"
    # Of one gland, which differs in its nodules.
    arguments = ["phantom", "example", "--own", "--count", "2", "--nodules", "count=1,diameter=8", "--paint-ct"]
    arguments += ["--nnunet", "--spacing", "3", "--margin", "5", "--workers", "1", "--quiet", "--out", str(out)]
    assert main(arguments) == OK

    manifest = json.loads((out / "manifest.json").read_text())
    dataset = "nnunet/Dataset001_ThyroidPhantoms"
    assert set(manifest["files"]) >= {"dataset_card.md", f"{dataset}/dataset.json"}
    listed = {file["path"]: file["sha256"] for entry in manifest["phantoms"] for file in entry["files"]}
    for number in (1, 2):
        image, labels = f"imagesTr/phantom_000{number}_0000.nii.gz", f"labelsTr/phantom_000{number}.nii.gz"
        for name in (image, labels):
            assert listed[f"{dataset}/{name}"] == sha256_of(out / dataset / name)
        painted = read_volume(out / f"phantom_000{number}" / "ct_synthetic.nii.gz")
        assert np.array_equal(read_volume(out / dataset / image).array, painted.array)
    document = json.loads((out / dataset / "dataset.json").read_text())
    assert document["numTraining"] == 2
    assert sorted(document["labels"].values()) == list(range(len(document["labels"])))

    card = (out / "dataset_card.md").read_text(encoding="utf-8")
    assert "2 phantoms of one neck" in card and "2 nodules in all, modelled by rules" in card
    volumes = sorted(entry["written"]["volume_ml"] for entry in manifest["phantoms"])
    assert f"| volume (mL) | {volumes[0]:.3g} | {np.median(volumes):.3g} | {volumes[1]:.3g} |" in card
    assert "`ct_synthetic.nii.gz` | CT that follows" in card and "| 15 | esophagus | " in card
    for heading in ("How it was made", "What it is for", "What it is not for", "Licences", "How to cite"):
        assert f"## {heading}\n" in card

    (out / dataset / "labelsTr" / "mine.txt").write_text("mine")
    shorter = ["1" if each == "2" else each for each in arguments]
    assert main(shorter) == FAILED
    assert main([*shorter, "--overwrite"]) == OK
    remaining = {path.relative_to(out / dataset).as_posix() for path in (out / dataset).rglob("*.*")}
    files = {"dataset.json", "imagesTr/phantom_0001_0000.nii.gz", "labelsTr/phantom_0001.nii.gz"}
    assert remaining == {*files, "labelsTr/mine.txt"}


@pytest.mark.parametrize(("options", "fault"), [((), "--count"), (("--count", "2"), "--paint-ct")])
def test_a_dataset_for_nnunet_needs_a_cohort_with_cts(tmp_path, capsys, options, fault):
    with pytest.raises(SystemExit, match=str(BAD_USAGE)):
        main(["phantom", "example", "--nnunet", *options, "--out", str(tmp_path / "out")])
    assert fault in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_structure_that_the_table_of_materials_does_not_know_has_no_values_and_a_warning(patient, tmp_path, capsys):
    own = shutil.copytree(patient, tmp_path / patient.name)
    (own / "segmentations" / "common_carotid_artery_left.nii.gz").rename(own / "segmentations" / "pacemaker.nii.gz")
    command = ["phantom", "example", "--at", str(own), "--own", "--margin", "5", *FAST, "--out", str(tmp_path / "out")]
    assert main(command) == OK
    assert "does not know pacemaker, whose values are empty" in capsys.readouterr().err
    with (tmp_path / "out" / "materials.csv").open(encoding="utf-8") as stream:
        (row,) = [row for row in csv.DictReader(stream) if row["structure"] == "pacemaker"]
    assert (row["material"], row["density_kg_m3"]) == ("pacemaker", "")
