"""Meshes of any format become a cohort at the centres of their tracheas, or the fault is named."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from support.tiny_cohort import two_lobes
from ThyroidSynthLib.common.errors import CohortError, InputError
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.meshes import MeshOptions, centres_of, prepare_meshes
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.mesh_files import write_mesh

CENTRE = np.array([12.0, -30.0, 155.0])
OPTIONS = MeshOptions(samples_per_shape=200)


@pytest.fixture
def shapes() -> dict[str, Surface]:
    """Four thyroids in `trachea_mm`."""
    return {
        f"gland{number}": two_lobes(
            semi_axes_mm=(9.0 + number / 2, 8.0, 16.0 + number), offset_mm=8.0 + number, right_share=0.9
        )
        for number in range(4)
    }


def write_all(folder: Path, shapes: dict[str, Surface], *, space: str = "LPS") -> None:
    folder.mkdir()
    for number, (name, surface) in enumerate(shapes.items()):
        placed = surface.moved(surface.vertices + CENTRE)
        write_mesh(placed, folder / f"{name}.{('ply', 'stl', 'obj')[number % 3]}", space=space)


@pytest.mark.parametrize("space", ["LPS", "RAS"])
def test_meshes_are_read_in_their_axes_and_centred_on_the_trachea(
    tmp_path: Path, shapes: dict[str, Surface], space: str
) -> None:
    write_all(tmp_path / "meshes", shapes, space=space)
    centre = centres_of("12,-30,155")
    summary = prepare_meshes(
        [tmp_path / "meshes"],
        tmp_path / "c",
        centre,
        MeshOptions(samples_per_shape=200, alignment="trachea"),
        workers=1,
    )
    cohort = Cohort.open(tmp_path / "c")

    assert summary.accepted == 4 and list(cohort.ids) == sorted(shapes)
    for case_id in cohort.ids:
        np.testing.assert_allclose(cohort.surface(case_id).bounds, shapes[case_id].bounds, atol=1e-3)
        np.testing.assert_allclose(cohort.placement(case_id).origin_ras, CENTRE)
    cohort.verify()


def test_upright_places_the_origin_at_the_height_of_the_gland(tmp_path: Path, shapes: dict[str, Surface]) -> None:
    write_all(tmp_path / "meshes", shapes)
    prepare_meshes([tmp_path / "meshes"], tmp_path / "c", centres_of((12.0, -30.0, 90.0)), OPTIONS, workers=1)
    cohort = Cohort.open(tmp_path / "c")

    assert cohort.frame.alignment == "upright"
    for case_id in cohort.ids:
        # The glands are symmetric about z = 0 of the frame in which they were made.
        np.testing.assert_allclose(cohort.placement(case_id).origin_ras, CENTRE, atol=0.05)


def test_each_mesh_takes_its_centre_from_the_table(tmp_path: Path, shapes: dict[str, Surface]) -> None:
    write_all(tmp_path / "meshes", shapes)
    table = tmp_path / "centres.csv"
    table.write_text("S;R;A;id\n" + "".join(f"155;{12 + n};-30;gland{n}\n" for n in (3, 1, 0)))
    summary = prepare_meshes([tmp_path / "meshes"], tmp_path / "c", centres_of(table), OPTIONS, workers=1)
    cohort = Cohort.open(tmp_path / "c")

    assert cohort.ids == ("gland0", "gland1", "gland3") and summary.unreadable == 1
    assert [cohort.placement(case_id).origin_ras[0] for case_id in cohort.ids] == [12, 13, 15]
    row = next(row for row in csv.DictReader((tmp_path / "c" / "quality.csv").open()) if row["id"] == "gland2")
    assert "has no row for the mesh gland2" in row["error"]


def test_inward_triangles_of_separate_corners_are_turned(tmp_path: Path, shapes: dict[str, Surface]) -> None:
    (tmp_path / "m").mkdir()
    placed = shapes["gland1"].moved(shapes["gland1"].vertices + CENTRE)
    write_mesh(Surface(placed.vertices, placed.faces[:, ::-1]), tmp_path / "m" / "inward.stl")
    prepare_meshes([tmp_path / "m"], tmp_path / "c", centres_of("12,-30,155"), OPTIONS, workers=1)

    volume = Cohort.open(tmp_path / "c").surface("inward").volume
    assert volume == pytest.approx(placed.volume, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: Surface(s.vertices, s.faces[40:]), "not watertight"),
        (
            lambda s: Surface.joined([s, *(s.moved(s.vertices * 0.2 + at) for at in ([0, 60, 0], [0, 90, 0]))]),
            "too many",
        ),
        (lambda s: s.moved(s.vertices * 0.2), "implausible volume"),
        (lambda s: s.moved(s.vertices + np.array([150, 0, 0])), "trachea away from the thyroid"),
    ],
)
def test_a_mesh_that_is_no_thyroid_is_refused(tmp_path: Path, shapes: dict[str, Surface], change, reason: str) -> None:
    write_all(tmp_path / "meshes", shapes)
    changed = change(shapes["gland0"])
    write_mesh(changed.moved(changed.vertices + CENTRE), tmp_path / "meshes" / "gland0.ply")
    summary = prepare_meshes([tmp_path / "meshes"], tmp_path / "c", centres_of("12,-30,155"), OPTIONS, workers=1)

    assert summary.accepted == 3
    assert any(each.startswith(reason) for each in summary.reasons), summary


def test_metres_and_point_clouds_are_refused_by_name(tmp_path: Path, shapes: dict[str, Surface]) -> None:
    write_all(tmp_path / "meshes", shapes)
    gland = shapes["gland0"]
    write_mesh(gland.moved(gland.vertices / 1000), tmp_path / "meshes" / "gland0.ply")
    write_mesh(Surface(gland.vertices, np.empty((0, 3))), tmp_path / "meshes" / "cloud.ply")
    summary = prepare_meshes([tmp_path / "meshes"], tmp_path / "c", centres_of("12,-30,155"), OPTIONS, workers=1)

    errors = {row["id"]: row["error"] for row in csv.DictReader((tmp_path / "c" / "quality.csv").open())}
    assert summary.unreadable == 2
    assert "Export it in millimetres" in errors["gland0"] and "has no triangles" in errors["cloud"]


def test_files_of_one_name_are_named_after_their_folders(tmp_path: Path, shapes: dict[str, Surface]) -> None:
    for name, surface in shapes.items():
        (tmp_path / "all" / name).mkdir(parents=True)
        write_mesh(surface.moved(surface.vertices + CENTRE), tmp_path / "all" / name / "thyroid.stl")
    prepare_meshes([tmp_path / "all"], tmp_path / "c", centres_of("12,-30,155"), OPTIONS, workers=1)

    assert list(Cohort.open(tmp_path / "c").ids) == sorted(shapes)


def test_manual_decisions_are_kept(tmp_path: Path, shapes: dict[str, Surface]) -> None:
    shapes["far"] = shapes["gland0"].moved(shapes["gland0"].vertices * [1, 1, 1.3] + [80, 0, 0])
    write_all(tmp_path / "meshes", shapes)
    chosen = MeshOptions(samples_per_shape=200, include=("far",), exclude=("gland2",))
    prepare_meshes([tmp_path / "meshes"], tmp_path / "c", centres_of("12,-30,155"), chosen, workers=1)

    assert Cohort.open(tmp_path / "c").ids == ("far", "gland0", "gland1", "gland3")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("1,2", "neither"),
        ("1,2,x", "neither"),
        ("1,2,1e9", "not a position"),
        ("nowhere.csv", "neither"),
    ],
)
def test_a_wrong_centre_is_refused(text: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        centres_of(text)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ("id,x,y,z\na,1,2,3\n", "has no column 'r'"),
        ("id,r,a,s\na,1,2,3\na,1,2,4\n", "a second time"),
        ("id,r,a,s\na,1,,3\n", "line 2"),
        ("id,r,a,s\n", "no row"),
    ],
)
def test_a_wrong_table_of_centres_is_refused(tmp_path: Path, table: str, fault: str) -> None:
    path = tmp_path / "centres.csv"
    path.write_text(table)
    with pytest.raises(InputError, match=fault) as raised:
        centres_of(path)
    assert str(path) in str(raised.value)


def test_a_folder_without_meshes_or_only_bad_ones_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no meshes"):
        prepare_meshes([tmp_path / "none"], tmp_path / "c", centres_of("1,2,3"), OPTIONS)
    (tmp_path / "none" / "bad.stl").write_bytes(b"solid nothing")
    with pytest.raises(CohortError, match=r"None of the 1 meshes is accepted.*bad.stl"):
        prepare_meshes([tmp_path / "none"], tmp_path / "c", centres_of("1,2,3"), OPTIONS)
