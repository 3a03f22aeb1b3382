"""The place of generated thyroids: at a patient, at a level, at a point; and the grid onto which they are written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from support import reported_cases as cases
from support.mask_files import write_nifti
from support.tubes import tube_mask
from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.masks import read_mask
from ThyroidSynthLib.imaging.volume_files import read_grid, write_volume
from ThyroidSynthLib.model.trained_model import TrainedModel


def run(*arguments: object) -> int:
    return main([*map(str, arguments), "--quiet"])


@pytest.fixture
def masks(dataset: Path) -> Path:
    return dataset / "s0000" / "segmentations"


@pytest.fixture(scope="module")
def upright() -> str:
    """Return the example model, whose shapes are upright."""
    assert TrainedModel.load("example").frame.alignment == "upright"
    return "example"


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def centre_of(folder: Path) -> np.ndarray:
    return read_mask(folder / "label_maps" / "t00001.nii.gz").volume.center_of_mass_ras()


def test_a_gland_is_placed_at_a_trachea_alone(capsys, upright, masks, tmp_path):
    """At a given level, and at an estimated one, which is labelled."""
    trachea = masks / "trachea.nii.gz"
    level = level_of(masks)
    own = ("generate", upright, "--at", masks.parent, "--out", tmp_path / "own")
    assert run(*own) == 0
    assert run("generate", upright, "--at", trachea, "--level", level, "--out", tmp_path / "given") == 0
    assert "estimated" not in "".join(capsys.readouterr())
    assert run("generate", upright, "--at", trachea, "--out", tmp_path / "estimated") == 0
    assert "the level of the gland was estimated" in "".join(capsys.readouterr())

    frames = {name: np.array(manifest_of(tmp_path / name)["trachea_to_ras"]) for name in ("own", "given", "estimated")}
    # The gland's centre of mass lies beside the axis, along which its height is measured.
    assert np.allclose(frames["given"], frames["own"], atol=2.0)
    assert np.allclose(frames["estimated"], frames["own"], atol=12.0)
    specifications = {name: manifest_of(tmp_path / name)["specification"] for name in frames}
    assert specifications["own"]["level"] == "of the patient's thyroid"
    assert specifications["given"]["level"] == f"given ({level:g} mm)"
    assert specifications["estimated"]["level"].startswith("estimated from the trachea's upper end")


def test_a_gland_is_placed_at_a_point(upright, tmp_path):
    assert run("generate", upright, "--place-at", -3, 12.5, -140, "--out", tmp_path / "point") == 0
    assert run("generate", upright, "--out", tmp_path / "origin") == 0

    assert np.allclose(centre_of(tmp_path / "point") - centre_of(tmp_path / "origin"), [-3, 12.5, -140], atol=0.5)
    assert manifest_of(tmp_path / "point")["specification"]["placed_at"] == "RAS -3, 12.5, -140"
    assert manifest_of(tmp_path / "origin")["specification"]["placed_at"] == "RAS 0, 0, 0"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--place-at", 1, 2, 3, "--at", "x"), "leave out --at"),
        (("--place-at", 1, 2, 3, "--level", 3), "leave out --at and --level"),
        (("--level", 3), "give --at or --merge-into"),
        (("--at", "x", "--level", "1,5"), "Write decimals with a point: 1.5"),
        (("--place-at", 1, 2, "nan"), "give a number from -10,000 to 10,000 mm"),
        (("--place-at", 1, 2), "expected 3 arguments"),
        (("--place-at", 1, 2, 3, "--overlap", "remove"), "needs a patient with a trachea"),
        (("--overlap", "report"), "needs a patient with a trachea"),
        (("--allow-overlap",), "--allow-overlap needs a patient with a trachea"),
    ],
)
def test_contradicting_places_are_usage_errors(capsys, upright, tmp_path, options, fault):
    with pytest.raises(SystemExit, match="2"):
        run("generate", upright, *options, "--out", tmp_path / "g")
    assert fault in capsys.readouterr().err and not (tmp_path / "g").exists()


def an_image(path: Path, *, corner: tuple[float, float, float], size_mm: float) -> Path:
    """Write an image whose first voxel is centred at a corner (RAS), with voxels of 2 mm."""
    matrix = np.diag([2.0, 2.0, 2.0, 1.0])
    matrix[:3, 3] = corner
    write_volume(Volume(np.zeros((int(size_mm / 2),) * 3, np.uint8), matrix), path)
    return path


def test_a_grid_that_does_not_hold_the_thyroids_is_refused_before_the_work(capsys, upright, masks, tmp_path):
    """Without a place it must hold them as a whole; a patient's scan may end within the gland."""
    away = an_image(tmp_path / "away.nii.gz", corner=(300, -50, -50), size_mm=100)
    cut = an_image(tmp_path / "cut.nii.gz", corner=(-60, -60, 0), size_mm=120)
    around = an_image(tmp_path / "around.nii.gz", corner=(-70, -70, -70), size_mm=140)

    upper = TrainedModel.load(upright).frame.upper_mm[0]
    assert run("generate", upright, "--grid", away, "--out", tmp_path / "g") == 1
    assert f"{299 - upper:.0f} mm off the grid of {away}: they are placed at RAS 0, 0, 0" in capsys.readouterr().err
    assert run("generate", upright, "--grid", cut, "--out", tmp_path / "g") == 1
    error = capsys.readouterr().err
    assert f"mm beyond the grid of {cut}" in error and "--at PATIENT or --place-at R A S" in error
    assert run("generate", upright, "--at", masks.parent, "--grid", away, "--out", tmp_path / "g") == 1
    assert f"off the grid of {away}: they are placed at s0000" in capsys.readouterr().err
    merged = ("--merge-into", masks.parent, "--place-at", 0, 0, 5000)
    assert run("generate", upright, *merged, "--out", tmp_path / "g") == 1
    error = capsys.readouterr().err
    assert f"off the grid of {masks.parent}" in error and "leave out --at and --place-at" in error
    assert not (tmp_path / "g").exists()

    assert run("generate", upright, "--grid", around, "--out", tmp_path / "around") == 0
    assert f"the trachea frame lies at RAS 0, 0, 0 of {around}" in capsys.readouterr().out
    assert read_grid(tmp_path / "around" / "label_maps" / "t00001.nii.gz").shape == (70, 70, 70)
    assert run("generate", upright, "--place-at", 0, 0, 0, "--grid", cut, "--out", tmp_path / "cut") == 0
    assert "extend beyond the grid" in capsys.readouterr().out


def test_a_manifest_names_files_by_name_and_checksum_and_no_folder(upright, masks, tmp_path):
    private = tmp_path / "Miller, John"
    private.mkdir()
    for name in ("trachea.nii.gz", "thyroid_gland.nii.gz"):
        (private / name).symlink_to(masks / name)
    table = private / "targets.csv"
    table.write_text("volume_ml\n15\n")
    trachea = private / "trachea.nii.gz"
    place = ("--at", trachea, "--level", level_of(masks))

    assert run("generate", upright, *place, "--from-table", table, "--out", tmp_path / "g") == 0

    text = (tmp_path / "g" / "manifest.json").read_text()
    assert "Miller" not in text and str(tmp_path) not in text
    specification = json.loads(text)["specification"]
    assert specification["placed_at"] == "trachea.nii.gz" and specification["targets"] == "targets.csv"
    checksums = {file["name"]: file["sha256"] for file in specification["inputs"]}
    assert checksums == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (trachea, table)}


def level_of(masks: Path) -> float:
    """Return the level of the case's gland."""
    return float(read_mask(masks / "thyroid_gland.nii.gz").volume.center_of_mass_ras()[2])


@pytest.mark.parametrize(
    ("write", "more"),
    [
        (cases.lobes_in_dicom_seg, ()),
        (cases.lobes_in_slicer_segmentation, ()),
        (cases.label_map_nrrd, ("--labels", "thyroid=1,trachea=2")),
        (cases.rtstruct, ()),
        (lambda folder: cases.whole(folder / "pat 07" / "seg"), ()),
    ],
)
def test_the_patient_may_be_in_any_format(write, more, upright, tmp_path):
    assert run("generate", upright, "--at", cases.whole(tmp_path / "whole"), "--out", tmp_path / "expected") == 0
    assert run("generate", upright, "--at", write(tmp_path / "case"), *more, "--out", tmp_path / "g") == 0

    placed, expected = (np.array(manifest_of(tmp_path / name)["trachea_to_ras"]) for name in ("g", "expected"))
    # Outlines differ from voxels by parts of a voxel.
    assert np.allclose(placed[:3, 3], expected[:3, 3], atol=0.5) and np.allclose(placed, expected, atol=0.5)


@pytest.fixture
def other_organs(tmp_path: Path) -> Path:
    """Write a label map in which 16 and 17 are lungs of 2.5 L and something in them."""
    labels = np.zeros((110, 100, 110), np.uint8)
    labels[5:105, 5:95, 5:95] = 16
    labels[40:60, 40:50, 40:50] = 17
    return write_nifti(tmp_path / "x.nii.gz", labels, np.diag([1.5, 1.5, 1.5, 1.0]))


@pytest.mark.parametrize("command", ["generate --at {}", "fit {}", "edit {} --volume 12"])
def test_a_wrong_class_map_is_named_as_the_cause(capsys, command, upright, other_organs, tmp_path):
    name, *options = (part.format(other_organs) for part in command.split())

    assert run(name, upright, *options, "--class-map", "total-v2", "--out", tmp_path / "out") == 1

    output = "".join(capsys.readouterr())
    assert f"Label 16 of {other_organs}, given as the trachea" in output and "2727 mL are too much" in output
    assert "Check the labels (--labels) or the class map (--class-map)" in output and "seed" not in output


@pytest.mark.parametrize("command", ["generate --at {}", "edit {} --volume 12"])
def test_several_cases_are_named_and_how_to_choose_one(capsys, command, upright, dataset, tmp_path):
    name, *options = (part.format(dataset) for part in command.split())

    assert run(name, upright, *options, "--out", tmp_path / "out") == 1

    error = capsys.readouterr().err
    assert "holds 2 cases: s0000, s0001." in error
    assert f"Give the path of one of them, such as {dataset / 's0000'}." in error


@pytest.mark.parametrize("command", ["fit {}", "edit {} --volume 12"])
def test_a_grid_of_another_patient_is_refused_before_the_work(capsys, command, upright, tmp_path):
    case = cases.whole(tmp_path / "case")
    away = an_image(tmp_path / "away.nii.gz", corner=(300, -50, -50), size_mm=100)
    name, *options = (part.format(case) for part in command.split())

    assert run(name, upright, *options, "--grid", away, "--out", tmp_path / "out") == 1

    output = "".join(capsys.readouterr())
    assert "The thyroid of case case lies" in output and "off the chosen grid" in output
    assert not list((tmp_path / "out").rglob("*.nii.gz"))


def test_cases_of_the_same_name_are_fitted_beside_each_other(capsys, model, tmp_path):
    for hospital in ("a", "b"):
        cases.whole(tmp_path / hospital / "p1")

    assert run("fit", model, tmp_path / "a", tmp_path / "b", "--out", tmp_path / "fits") == 0

    assert sorted(path.name for path in (tmp_path / "fits").iterdir() if path.is_dir()) == ["a_p1", "b_p1"]


def test_structures_of_the_same_name_are_refused(capsys, upright, tmp_path):
    """One of them would silently take the place of the other."""
    for patient in ("a", "b"):
        cases.whole(tmp_path / patient)
        (tmp_path / patient / "trachea.nii.gz").rename(tmp_path / patient / "vessel.nii.gz")
    case = cases.whole(tmp_path / "case")
    vessels = (tmp_path / "a" / "vessel.nii.gz", tmp_path / "b" / "vessel.nii.gz")
    overlap = ("generate", upright, "--at", case, "--overlap", "report", "--out", tmp_path / "g", "--structures")

    for structures in (vessels, (case / "trachea.nii.gz",)):
        assert run(*overlap, *structures) == 1
        assert f"{structures[-1]} is one" in capsys.readouterr().err
    assert run(*overlap, vessels[0]) == 0
    assert set(manifest_of(tmp_path / "g")["thyroids"][0]["overlap_ml"]) == {"trachea", "vessel"}


def test_thyroids_stay_out_of_the_patients_trachea_and_of_other_structures(tmp_path):
    trachea, vessel = tmp_path / "trachea.nii.gz", tmp_path / "vessel.nii.gz"
    write_volume(tube_mask(width_mm=24.0, centre=(4.0, -150.0), reach_mm=(-60.0, 20.0), voxel_mm=1.5), trachea)
    write_volume(tube_mask(width_mm=8.0, centre=(26.0, -162.0), reach_mm=(-60.0, 60.0), voxel_mm=1.5), vessel)
    options = ("generate", "example", "--at", trachea, "--level", 0, "--structures", vessel, "--count", 2, "--out")

    assert run(*options, tmp_path / "drawn") == 0
    assert run(*options, tmp_path / "steered", "--steer", "--volume", 14, "--isthmus-area", 60) == 0
    assert run(*options, tmp_path / "overlapping", "--allow-overlap") == 0

    shares = {}
    for name in ("drawn", "steered", "overlapping"):
        manifest = manifest_of(tmp_path / name)
        shares[name] = [
            sum(each["overlap_ml"].values()) / each["measured"]["volume_ml"] for each in manifest["thyroids"]
        ]
        assert all(set(each["overlap_ml"]) == {"trachea", "vessel"} for each in manifest["thyroids"])
        assert manifest["specification"]["overlap_allowed"] is (name == "overlapping")
    assert max(shares["drawn"] + shares["steered"]) < 1e-3
    assert max(shares["overlapping"]) > 0.02
    assert all(each["met"] for each in manifest_of(tmp_path / "steered")["thyroids"])
    assert all(each["met"] is None for each in manifest_of(tmp_path / "drawn")["thyroids"])
