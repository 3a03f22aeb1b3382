"""The authors' published set becomes a cohort: axes, sign, ids and lengths are right, or the fault is named."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from support.authors_files import AuthorsFiles, authors_samples, write_authors_set, write_table
from ThyroidSynthLib.common.errors import CohortError, InputError, OutputError
from ThyroidSynthLib.dataset.authors import AuthorsOptions, prepare_authors_set
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.surface import Surface


@pytest.fixture
def made(tmp_path: Path) -> AuthorsFiles:
    return write_authors_set(tmp_path / "set")


def prepared(made: AuthorsFiles, out: Path, **options: object) -> Cohort:
    chosen = AuthorsOptions(**{"scale_mm": tuple(made.scale_mm), **options})
    return Cohort.open(prepare_authors_set(made.folder, out, chosen).folder)


def test_surfaces_and_features_are_in_millimetres_in_ras(made: AuthorsFiles, tmp_path: Path) -> None:
    cohort = prepared(made, tmp_path / "cohort")

    assert list(cohort.ids) == made.ids
    assert cohort.frame.alignment == "trachea"
    np.testing.assert_allclose(cohort.frame.scale_mm, made.scale_mm[::-1])
    for row, case_id in enumerate(cohort.ids):
        surface = cohort.surface(case_id)
        np.testing.assert_allclose(surface.bounds, made.surfaces_mm[case_id].bounds, atol=1e-4)
        assert surface.is_closed() and surface.volume > 0
        np.testing.assert_allclose(cohort.features[row], made.features(case_id), rtol=1e-3)
    cohort.verify()


def test_samples_are_kept_with_axes_and_sign_converted(made: AuthorsFiles, tmp_path: Path) -> None:
    cohort = prepared(made, tmp_path / "cohort")

    for row, case_id in enumerate(cohort.ids):
        with np.load(made.folder / "sdf" / f"{case_id}.npz") as arrays:
            points, sdf = arrays["points"], arrays["sdf"]
        np.testing.assert_allclose(cohort.samples[row, :, :3], points[:, ::-1], atol=1e-6)
        np.testing.assert_allclose(cohort.samples[row, :, 3], -sdf[:, 0], atol=1e-6)
        unit = cohort.surface(case_id)
        unit = unit.moved(cohort.frame.to_unit(unit.vertices))
        some = cohort.samples[row, -50:]
        np.testing.assert_allclose(signed_distance(unit, some[:, :3]), some[:, 3], atol=1e-3)
        assert (some[:, 3] < 0).any() and (some[:, 3] > 0).any()


def test_rows_of_the_table_are_joined_by_id(made: AuthorsFiles, tmp_path: Path) -> None:
    write_table(made, made.ids[::-1])
    cohort = prepared(made, tmp_path / "cohort")

    for case_id in made.ids:
        published = cohort.entry(case_id)["published_units"]
        np.testing.assert_allclose(published, made.units(made.features(case_id)))
    assert cohort.document["authors"]["table_ids"] == made.ids[::-1]
    assert cohort.document["authors"]["trained_ids"] == made.ids


def test_ids_that_lost_their_zeros_are_joined_too(made: AuthorsFiles, tmp_path: Path) -> None:
    table = made.folder / "features.csv"
    table.write_text("".join(line.lstrip("0") for line in table.read_text().splitlines(keepends=True)))

    cohort = prepared(made, tmp_path / "cohort")

    np.testing.assert_allclose(cohort.entry("00010")["published_units"], made.units(made.features("00010")))


def test_a_table_of_other_shapes_is_noted(made: AuthorsFiles, tmp_path: Path) -> None:
    rows = list(csv.reader((made.folder / "features.csv").open()))
    shifted = [[row[0], *other[1:]] for row, other in zip(rows[1:], [*rows[2:], rows[1]], strict=True)]
    with (made.folder / "features.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([rows[0], *shifted])
    summary = prepare_authors_set(made.folder, tmp_path / "c", AuthorsOptions(tuple(made.scale_mm)))

    assert any("features.csv are not those of the surface for" in note for note in summary.notes)
    np.testing.assert_allclose(Cohort.open(summary.folder).features[0], made.features(made.ids[0]), rtol=1e-3)


def test_axes_that_point_down_and_back_are_turned(made: AuthorsFiles, tmp_path: Path) -> None:
    expected = prepared(made, tmp_path / "expected")
    for case_id, surface in made.surfaces_mm.items():
        turned = surface.vertices[:, ::-1] / made.scale_mm * [-1, -1, 1]
        unit = Surface(turned, surface.faces[:, ::-1])
        unit.to_trimesh().export(made.folder / "ply" / f"{case_id}.ply")
        points, sdf = authors_samples(unit, 500, np.random.default_rng(0))
        np.savez(made.folder / "sdf" / f"{case_id}.npz", points=points, sdf=sdf)
    cohort = prepared(made, tmp_path / "cohort")

    assert cohort.document["authors"]["axes"] == "IPR"
    for case_id in made.ids:
        np.testing.assert_allclose(cohort.surface(case_id).bounds, expected.surface(case_id).bounds, atol=1e-4)
        assert cohort.surface(case_id).volume > 0


def test_without_a_scale_lengths_are_said_to_be_in_units(made: AuthorsFiles, tmp_path: Path) -> None:
    summary = prepare_authors_set(made.folder, tmp_path / "cohort")
    cohort = Cohort.open(summary.folder)

    assert "lengths are in units and not in millimetres" in summary.notes[0]
    assert "lengths are in units" in cohort.provenance()["lengths"]
    units = made.units(made.features(made.ids[0]))
    np.testing.assert_allclose(cohort.features[0], units * [50**3 / 1000, 50**2, 1], rtol=2e-3)


def test_the_published_scale_gives_the_mean_extents_of_the_paper(made: AuthorsFiles, tmp_path: Path) -> None:
    cohort = prepared(made, tmp_path / "cohort", scale_mm="published")

    extents = np.mean([np.ptp(cohort.surface(case_id).vertices, axis=0) for case_id in cohort.ids], axis=0)
    np.testing.assert_allclose(extents, [52.18, 29.32, 44.75], rtol=1e-4)


def test_a_set_in_a_folder_of_an_archive_is_found(made: AuthorsFiles, tmp_path: Path) -> None:
    inner = tmp_path / "download" / "thyroid_data"
    inner.parent.mkdir()
    made.folder.rename(inner)
    junk = tmp_path / "download" / "__MACOSX" / "ply"
    junk.mkdir(parents=True)
    (inner / "ply" / "._00003.ply").write_bytes(b"\0")
    summary = prepare_authors_set(tmp_path / "download", tmp_path / "c", AuthorsOptions(tuple(made.scale_mm)))

    assert (summary.accepted, summary.unreadable) == (6, 0)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda mesh, samples: mesh.write_bytes(mesh.read_bytes()[:-7]), "damaged or incomplete"),
        (lambda mesh, samples: mesh.unlink(), "does not exist"),
        (lambda mesh, samples: samples.unlink(), "does not exist"),
        (lambda mesh, samples: samples.write_bytes(samples.read_bytes()[:900]), "damaged or incomplete"),
        (lambda mesh, samples: rewrite(samples, sdf=lambda sdf: -sdf), "negative inside"),
        (lambda mesh, samples: rewrite(samples, sdf=lambda sdf: sdf[::-1]), "another order"),
        (lambda mesh, samples: rewrite(samples, sdf=lambda sdf: np.hstack([sdf, sdf])), "one structure"),
        (lambda mesh, samples: rewrite(samples, points=lambda points: points[:, :2]), "instead of"),
        (lambda mesh, samples: rewrite(samples, points=lambda points: points + np.nan), "impossible"),
        (lambda mesh, samples: rewrite(samples, points=lambda p: p[:400], sdf=lambda s: s[:400]), "400 samples"),
        (lambda mesh, samples: np.savez(samples, points=np.array([{}], dtype=object), sdf=np.zeros(1)), "damaged"),
    ],
)
def test_a_spoilt_case_is_left_out_with_the_reason(made: AuthorsFiles, tmp_path: Path, spoil, fault: str) -> None:
    spoil(made.folder / "ply" / "00010.ply", made.folder / "sdf" / "00010.npz")
    summary = prepare_authors_set(made.folder, tmp_path / "c", AuthorsOptions(tuple(made.scale_mm)))

    assert (summary.cases, summary.accepted, summary.unreadable) == (6, 5, 1)
    row = next(row for row in csv.DictReader((tmp_path / "c" / "quality.csv").open()) if row["id"] == "00010")
    assert fault in row["error"] and "00010" in row["error"]


def rewrite(path: Path, **changes: object) -> None:
    with np.load(path) as arrays:
        content = {name: changes.get(name, lambda same: same)(arrays[name]) for name in ("points", "sdf")}
    np.savez(path, **content)


def test_an_open_surface_is_refused(made: AuthorsFiles, tmp_path: Path) -> None:
    surface = made.surfaces_mm["00010"]
    Surface(surface.vertices[:, ::-1] / made.scale_mm, surface.faces[5:, ::-1]).to_trimesh().export(
        made.folder / "ply" / "00010.ply"
    )
    summary = prepare_authors_set(made.folder, tmp_path / "c", AuthorsOptions(tuple(made.scale_mm)))

    assert summary.reasons == {"not watertight": 1}
    with pytest.raises(CohortError, match="--overwrite"):
        prepare_authors_set(made.folder, tmp_path / "c")
    included = AuthorsOptions(tuple(made.scale_mm), include=("00010",))
    assert prepare_authors_set(made.folder, tmp_path / "c", included).accepted == 6
    with pytest.raises(InputError, match="both included and excluded"):
        prepare_authors_set(made.folder, tmp_path / "c", AuthorsOptions(include=("00010",), exclude=("00010",)))


def test_what_is_not_the_set_is_refused_with_what_is_expected(made: AuthorsFiles, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.zip").touch()
    for path, fault in ((tmp_path / "empty", "does not hold"), (tmp_path / "file.zip", "must be extracted")):
        with pytest.raises(InputError, match=fault):
            prepare_authors_set(path, tmp_path / "c")
    with pytest.raises(InputError, match="no case 99"):
        prepare_authors_set(made.folder, tmp_path / "c", AuthorsOptions(exclude=("99",)))
    with pytest.raises(InputError, match="impossible"):
        prepare_authors_set(made.folder, tmp_path / "c", AuthorsOptions((0.5, 0.5, 0.5)))
    (made.folder / "features.csv").write_text("name,volume\n1,2\n")
    with pytest.raises(InputError, match=r"features.csv has no column 'id'"):
        prepare_authors_set(made.folder, tmp_path / "c")


def test_the_set_itself_and_other_files_are_never_written_to(made: AuthorsFiles, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is an input"):
        prepare_authors_set(made.folder, made.folder / "ply")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(OutputError, match="not a cohort"):
        prepare_authors_set(made.folder, tmp_path / "mine")


def test_another_scale_needs_permission(made: AuthorsFiles, tmp_path: Path) -> None:
    prepared(made, tmp_path / "cohort")
    with pytest.raises(CohortError, match="--overwrite"):
        prepare_authors_set(made.folder, tmp_path / "cohort")

    prepare_authors_set(made.folder, tmp_path / "cohort", AuthorsOptions(overwrite=True))

    assert Cohort.open(tmp_path / "cohort").lengths


def test_a_missing_table_is_noted(made: AuthorsFiles, tmp_path: Path) -> None:
    (made.folder / "features.csv").unlink()
    summary = prepare_authors_set(made.folder, tmp_path / "c", AuthorsOptions(tuple(made.scale_mm)))

    assert summary.accepted == 6 and "features.csv is missing" in summary.notes[0]
