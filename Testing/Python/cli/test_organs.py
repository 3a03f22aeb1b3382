"""Organs beside the thyroid by the commands: prepare and train them, and generate necks that a label map holds."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from support.kept_models import kept_model
from support.mask_files import affine, two_masks, write_case
from support.necks import ARTERY, tube
from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.overlap import overlap_ml
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_map_files import names_in_file
from ThyroidSynthLib.imaging.masks import read_labels
from ThyroidSynthLib.imaging.mesh_files import read_mesh
from ThyroidSynthLib.imaging.volume_files import read_volume, write_volume
from ThyroidSynthLib.model.trained_model import TrainedModel

NECKS = str(kept_model("necks"))


def test_train_learns_the_organs_of_a_cohort(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(2):
        write_case(tmp_path / "dataset" / f"s{number}", *two_masks((40, 36, 44 + 4 * number)), affine())
    cohort, model = str(tmp_path / "cohort"), tmp_path / "model.safetensors"
    assert main(["prepare", str(tmp_path / "dataset"), "--organs", "trachea", "--samples", "500", "--out", cohort]) == 0
    assert "Organs beside the thyroid: trachea in 2 of the cases." in capsys.readouterr().out

    assert main(["train", cohort, "--out", str(model), "--preset", "fast", "--epochs", "2", "--quiet"]) == 0

    found = TrainedModel.load(model)
    assert list(found.organs) == ["trachea"] and found.organs["trachea"].ids == ("s0", "s1")
    assert (found.organs["trachea"].features[:, 0] > 20).all()
    capsys.readouterr()
    for path in (cohort, str(model)):
        assert main(["info", path, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["organs"] == {"trachea": 2}


def test_prepare_refuses_organs_where_they_have_no_meaning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, fault in (
        (
            ["prepare", "x", "--organs", "thyroid", "--out", str(tmp_path / "c")],
            "is the thyroid, which every model has",
        ),
        (["prepare", "--authors", "x", "--organs", "trachea", "--out", str(tmp_path / "c")], "cannot be combined"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2 and fault in capsys.readouterr().err


def test_generate_writes_one_map_of_all_organs_and_the_thyroids_of_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["generate", NECKS, "--count", "2", "--seed", "3", "--mesh", "ply", "--quiet", "--workers", "1"]
    assert main([*common, "--out", str(tmp_path / "alone")]) == 0
    capsys.readouterr()

    assert main([*common, "--organs", "--out", str(tmp_path / "necks")]) == 0

    assert "Around each of them, in organ_maps: trachea, common_carotid_artery_right." in capsys.readouterr().out
    for name in ("label_maps/t00001.nii.gz", "meshes/t00002.ply"):
        assert (tmp_path / "necks" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    path = tmp_path / "necks" / "organ_maps" / "t00001.nii.gz"
    names = {1: "thyroid_gland", 2: "trachea", 3: "common_carotid_artery_right"}
    assert names_in_file(path) == names
    masks = read_labels(path, {name: label for label, name in names.items()})
    manifest = json.loads((tmp_path / "necks" / "manifest.json").read_text())
    first = manifest["thyroids"][0]
    assert masks["thyroid_gland"].volume_ml == pytest.approx(first["label_volume_ml"])
    assert all(not mask.is_empty for mask in masks.values())
    assert set(first["organs"]) == {"trachea", "common_carotid_artery_right"}
    assert first["organs"]["trachea"]["measured"]["cross_section_mm2"] > 80
    assert len(first["organs"]["trachea"]["code"]) == TrainedModel.load(NECKS).organs["trachea"].code_size
    listed = {file["path"] for file in first["files"]}
    assert {"organ_maps/t00001.nii.gz", "meshes/t00001_trachea.ply"} <= listed
    assert "organs" not in json.loads((tmp_path / "alone" / "manifest.json").read_text())["thyroids"][0]
    # Replaced as a whole by another cohort, which has no organs.
    assert main([*common, "--overwrite", "--out", str(tmp_path / "necks")]) == 0
    assert not list((tmp_path / "necks").rglob("*trachea*")) and not list((tmp_path / "necks").rglob("organ_maps/*"))


def test_the_organs_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    codes = []
    for workers in ("1", "2"):
        out = tmp_path / workers
        options = ["--count", "3", "--organs", "--format", "none", "--quiet", "--workers", workers]
        assert main(["generate", NECKS, *options, "--out", str(out)]) == 0
        thyroids = json.loads((out / "manifest.json").read_text())["thyroids"]
        codes.append([each["organs"]["trachea"]["code"] for each in thyroids])
    assert np.array_equal(*codes)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (["--merge-into", "patient"], "use --at instead of --merge-into"),
        (["--reconstruct", "tiny01"], "leave out --reconstruct"),
    ],
)
def test_organs_are_refused_where_others_are_written(tmp_path: Path, more: list[str], fault: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["generate", NECKS, "--organs", *more, "--out", str(tmp_path / "out")])
    assert ended.value.code == 2 and fault in capsys.readouterr().err


def write_patient(folder: Path, **places: tuple[float, float, float]) -> Grid:
    """Write masks of tubes with these radii and places (x, y) into a folder; return their grid."""
    matrix = np.diag([2.0, 2.0, 2.0, 1.0])
    matrix[:3, 3] = [-60.0, -60.0, -60.0]
    grid = Grid((60, 60, 60), matrix)
    for name, (radius, x, y) in places.items():
        write_volume(voxelise(tube(radius, x, y, half_length_mm=50.0), grid), folder / f"{name}.nii.gz")
    return grid


def test_a_patients_own_organs_are_kept_and_the_others_are_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, trachea = tmp_path / "s1", "trachea"
    folder.mkdir()
    grid = write_patient(folder, trachea=(7.0, 0.0, 0.0), spleen=(3.0, 50.0, 50.0))
    common = ["generate", NECKS, "--at", str(folder), "--organs", "--allow-overlap", "--quiet", "--workers", "1"]
    image = ["--grid", str(folder / "trachea.nii.gz"), "--mesh", "ply"]

    assert main([*common, *image, "--out", str(tmp_path / "one")]) == 0

    said = capsys.readouterr().out
    assert "in organ_maps: common_carotid_artery_right; the patient's own trachea." in said
    path = tmp_path / "one" / "organ_maps" / "t00001.nii.gz"
    assert names_in_file(path) == {1: "thyroid_gland", 2: trachea, 3: ARTERY}
    assert b"Labels 1,3 made by ThyroidSynth, 2 the patient's" in gzip.decompress(path.read_bytes())[:348]
    array = read_volume(path).array
    own = voxelise(tube(7.0, 0.0, 0.0, half_length_mm=50.0), grid).array != 0
    assert np.array_equal(array == 2, own)
    # The thyroid of this model lies in the middle, where the trachea is: what they share is the trachea's.
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text())
    entry = manifest["thyroids"][0]
    assert entry["organ_map_ml"]["thyroid_gland"] == pytest.approx((array == 1).sum() * 0.008)
    assert entry["organ_map_ml"][trachea] == pytest.approx(own.sum() * 0.008)
    assert {name: each["source"] for name, each in entry["organs"].items()} == {trachea: "patient", ARTERY: "drawn"}
    assert entry["organs"][trachea]["measured"]["cross_section_mm2"] == pytest.approx(np.pi * 49, rel=0.06)
    with (tmp_path / "one" / "manifest.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["organs"] == f"trachea: patient; {ARTERY}: drawn"
    meshes = {name: tmp_path / "one" / "meshes" / f"t00001_{name}.ply" for name in (trachea, ARTERY)}
    surfaces = {name: read_mesh(mesh) for name, mesh in meshes.items()}
    assert surfaces[trachea].volume == pytest.approx(own.sum() * 8, rel=0.02)
    assert overlap_ml(surfaces[trachea], surfaces[ARTERY]) < 1e-3

    # An artery that the patient has is kept, too, whether it lies in the folder or is given.
    write_patient(folder, common_carotid_artery_right=(4.0, 30.0, 4.0))
    (folder / f"{ARTERY}.nii.gz").rename(tmp_path / f"{ARTERY}.nii.gz")
    given = ["--structures", str(tmp_path / f"{ARTERY}.nii.gz")]
    write_patient(folder, common_carotid_artery_right=(3.0, 34.0, 8.0))
    for number, (more, place) in enumerate((([], (3.0, 34.0, 8.0)), (given, (4.0, 30.0, 4.0)))):
        out = tmp_path / f"two{number}"
        assert main([*common, *more, *image[:2], "--out", str(out)]) == 0
        assert "Around each of them, in organ_maps: the patient's own trachea, " in capsys.readouterr().out
        array = read_volume(out / "organ_maps" / "t00001.nii.gz").array
        assert np.array_equal(array == 3, voxelise(tube(*place, half_length_mm=50.0), grid).array != 0)
        manifest = json.loads((out / "manifest.json").read_text())
        assert {each["source"] for each in manifest["thyroids"][0]["organs"].values()} == {"patient"}
        files = [each["name"] for each in manifest["specification"]["inputs"]]
        assert files.count(f"{ARTERY}.nii.gz") == 1 and "trachea.nii.gz" in files


def test_a_model_without_organs_says_how_to_get_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", str(kept_model("small")), "--organs", "--out", str(tmp_path / "out")]) == 1
    assert "the thyroid only. Prepare a cohort with other organs (--organs" in capsys.readouterr().err
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
