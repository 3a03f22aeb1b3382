"""A study in its folder: what is fixed at its creation, the order of each reader, and ratings on the disk."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from support.kept_models import kept_model
from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.locks import InUseError
from ThyroidSynthLib.evaluation.reader_study import (
    Candidate,
    RatingSession,
    StudyPlan,
    candidates_of_cohort,
    candidates_of_generated_cohort,
    create_study,
    read_ratings,
    summarise,
)
from ThyroidSynthLib.evaluation.reader_study.candidates import neutral
from ThyroidSynthLib.evaluation.reader_study.order import order_for
from ThyroidSynthLib.evaluation.reader_study.ratings import ratings_file
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise


def content_of(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_study_is_read_as_it_was_created_and_is_the_same_for_the_same_seed(plan, candidates, tmp_path):
    assert StudyPlan.open(plan.folder) == plan
    again = create_study(tmp_path / "again", candidates, seed=7, repeat_share=0.5)
    assert content_of(again.folder) == content_of(plan.folder)
    other = create_study(tmp_path / "other", candidates, seed=8, repeat_share=0.5)
    assert [shape.name for shape in other.shapes] != [shape.name for shape in plan.shapes]


def test_numbers_of_shapes_are_random_and_half_of_each_kind_is_repeated(plan):
    kinds = [shape.kind for shape in plan.shapes]
    assert sorted(kinds) == ["real"] * 6 + ["synthetic"] * 4
    assert kinds not in (sorted(kinds), sorted(kinds, reverse=True))
    repeated = [plan.shape(number).kind for number in plan.repeated]
    assert sorted(repeated) == ["real"] * 3 + ["synthetic"] * 2


def test_files_that_readers_may_see_do_not_reveal_a_name_or_a_kind(plan):
    for path in plan.folder.rglob("*"):
        assert not any(word in path.name for word in ("real", "synthetic"))
        if path.suffix == ".ply":
            header = path.read_bytes().partition(b"end_header")[0]
            assert b"comment Shape of a reader study" in header
            assert b"ynthetic" not in header


def test_shapes_are_resampled_alike_centred_and_measured_as_they_are_shown(plan):
    for shape in plan.shapes:
        surface = plan.surface(shape.number)
        lower, upper = surface.bounds
        assert np.abs(lower + upper).max() < 1e-4
        assert surface.is_closed()
        assert shape.features["volume_ml"] == pytest.approx(surface.volume / 1000, rel=1e-4)
        assert shape.extent_mm == pytest.approx((upper - lower).max(), abs=1e-2)
        assert set(shape.features) == {"volume_ml", "isthmus_area_mm2", "symmetry"}


def test_a_neutral_shape_has_the_volume_of_the_thyroid(candidates):
    surface = candidates[0].read()
    assert neutral(surface).volume == pytest.approx(surface.volume, rel=0.02)


def roughness(surface: Surface) -> float:
    """Return the mean angle in degrees between triangles that share an edge."""
    normals = surface.scaled_normals / np.linalg.norm(surface.scaled_normals, axis=1, keepdims=True)
    edges = np.sort(np.concatenate([surface.faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]), axis=1)
    faces, order = np.tile(np.arange(len(surface.faces)), 3), np.lexsort(edges.T)
    pairs = (edges[order][1:] == edges[order][:-1]).all(axis=1)
    one, other = faces[order][:-1][pairs], faces[order][1:][pairs]
    return float(np.degrees(np.arccos(np.clip((normals[one] * normals[other]).sum(axis=1), -1, 1))).mean())


def test_steps_of_voxels_do_not_reveal_a_segmentation(candidates):
    smooth = candidates[0].read()
    angle = np.radians(20)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    turned = smooth.moved(smooth.vertices @ turn)
    # Segmented by another scanner, whose axes are tilted against those of the trachea.
    segmented = surface_from_mask(voxelise(turned, Grid.around(turned, spacing_mm=1.5)))
    segmented = segmented.moved(segmented.vertices @ turn.T)
    assert roughness(segmented) > 1.3 * roughness(smooth)
    assert roughness(neutral(segmented)) == pytest.approx(roughness(neutral(smooth)), rel=0.1)


def test_a_shape_whose_trachea_frame_is_not_known_is_not_measured(candidates, tmp_path):
    first, *others = candidates
    plan = create_study(tmp_path / "study", [replace(first, measurable=False), *others], seed=0)
    assert [shape.name for shape in plan.shapes if not shape.features] == [first.name]


def test_shapes_over_a_ct_lie_at_the_patients_trachea(candidates, tmp_path):
    ct = Volume(np.full((8, 8, 8), 40, dtype=np.int16), np.diag([10.0, 10.0, 10.0, 1.0]))
    placement = Placement.at(np.array([30.0, 40.0, 50.0]))
    plan = create_study(tmp_path / "study", candidates, seed=1, ct=ct, placement=placement)
    assert StudyPlan.open(plan.folder).over_ct
    shown = plan.ct()
    assert (shown.array == ct.array).all() and np.allclose(shown.ijk_to_ras, ct.ijk_to_ras)
    lower, upper = plan.surface(1).bounds
    assert (lower + upper) / 2 == pytest.approx([30.0, 40.0, 50.0], abs=2.0)


def test_a_number_of_shapes_of_each_kind_is_chosen_at_random(candidates, tmp_path):
    plans = [create_study(tmp_path / str(seed), candidates, seed=seed, most=2) for seed in range(3)]
    assert all(sorted(s.kind for s in plan.shapes) == ["real"] * 2 + ["synthetic"] * 2 for plan in plans)
    assert len({tuple(sorted(shape.name for shape in plan.shapes)) for plan in plans}) > 1


@pytest.mark.parametrize("kind", ["real", "synthetic"])
def test_a_study_of_one_kind_is_refused(kind, candidates, tmp_path):
    with pytest.raises(InputError, match=r"no (real|synthetic) shapes"):
        create_study(tmp_path / "study", [each for each in candidates if each.kind == kind], seed=0)
    assert not (tmp_path / "study").exists()


def test_a_shape_that_is_not_closed_is_named_and_nothing_is_left(candidates, tmp_path):
    whole = candidates[0].read()
    opened = Candidate("real", "open one", lambda: Surface(whole.vertices, whole.faces[1:]))
    with pytest.raises(InputError, match="open one cannot be shown: The surface is not closed"):
        create_study(tmp_path / "study", [opened, *candidates], seed=0)
    assert not (tmp_path / "study").exists()


def test_a_folder_with_files_is_refused_and_unchanged(plan, candidates, tmp_path):
    before = content_of(plan.folder)
    with pytest.raises(OutputError, match="is not empty"):
        create_study(plan.folder, candidates, seed=1)
    assert content_of(plan.folder) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        create_study(tmp_path / "mine", candidates, seed=1)


def test_a_changed_shape_is_refused(plan):
    (plan.folder / "shapes" / "002.ply").write_bytes((plan.folder / "shapes" / "001.ply").read_bytes())
    with pytest.raises(InputError, match=r"002\.ply is missing or was changed"):
        plan.surface(2)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"kind": "edit"}, "does not describe a reader study"),
        ({"format_version": 2}, "format version 2"),
        ({"seed": "7"}, "'seed' is not a whole number"),
        ({"repeated": [99]}, "does not exist"),
        ({"repeated": [[1]]}, "no whole number"),
        ({"repeated": [1.0]}, "no whole number"),
        ({"shapes": []}, "not numbered from 1"),
    ],
)
def test_a_damaged_plan_is_refused(plan, change, fault):
    path = plan.folder / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=fault):
        StudyPlan.open(plan.folder)


def test_a_shape_file_outside_the_folder_is_refused(plan):
    path = plan.folder / "study.json"
    document = json.loads(path.read_text())
    document["shapes"][0]["file"] = "../../secret.ply"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="the file of shape 1"):
        StudyPlan.open(plan.folder)


def test_each_reader_has_another_order_that_is_always_the_same(plan):
    orders = {reader: plan.order_for(reader) for reader in ("ab", "cd", "ef")}
    assert len(set(orders.values())) == 3
    assert StudyPlan.open(plan.folder).order_for("ab") == orders["ab"]
    assert replace(plan, seed=8).order_for("ab") != orders["ab"]
    for order in orders.values():
        assert sorted(each.shape for each in order) == sorted([*range(1, 11), *plan.repeated])
        for number in plan.repeated:
            first, second = (index for index, each in enumerate(order) if each.shape == number)
            assert (order[first].showing, order[second].showing) == (1, 2)
            assert second - first >= 3


def test_the_order_does_not_depend_on_the_version_of_this_software():
    """A study that was begun must continue in the same order; this one was computed when the format was fixed."""
    order = order_for("ab", 7, range(1, 7), [2, 5])
    assert [each.shape for each in order] == [5, 4, 2, 5, 1, 6, 3, 2]


def test_every_rating_is_on_the_disk_at_once_and_the_study_resumes(plan):
    session = RatingSession(plan, " A  B ")
    for count, rating in enumerate((5, 1, 3), start=1):
        shown = session.showing
        session.rate(rating, 2.04)
        rows = list(csv.DictReader(session.path.open(encoding="utf-8")))
        assert len(rows) == count
        last = rows[-1]
        assert (last["reader"], last["position"], last["rating"], last["seconds"]) == (
            "A B",
            str(count),
            str(rating),
            "2.0",
        )
        assert (int(last["shape"]), int(last["showing"])) == (shown.shape, shown.showing)
    session.close()
    again = RatingSession(plan, "a b")
    assert again.position == 3 and not again.complete
    assert [again.ratings[index].rating for index in range(3)] == [5, 1, 3]
    again.close()


def test_the_reader_can_go_back_and_the_last_rating_counts(plan):
    session = RatingSession(plan, "AB")
    for rating in (5, 1, 3):
        session.rate(rating, 1.0)
    session.back()
    session.back()
    assert session.position == 1 and session.rating == 1
    session.rate(4, 1.0)
    assert session.position == 3
    session.close()
    assert [each.rating for each in read_ratings(session.path, session.order).values()] == [5, 4, 3]
    assert len(session.path.read_text().splitlines()) == 5


def test_a_complete_study_says_so_and_takes_no_more(plan):
    session = RatingSession(plan, "AB")
    for _ in session.order:
        session.rate(3, 1.0)
    assert session.complete and session.showing is None and session.rating == 0
    session.rate(3, 1.0)
    assert len(session.ratings) == len(session.order) == 15
    session.back()
    assert session.rating == 3
    session.close()


@pytest.mark.parametrize("rating", [0, 6, 2.5])
def test_other_ratings_are_refused(plan, rating):
    session = RatingSession(plan, "AB")
    with pytest.raises(InputError, match="from 1 to 5"):
        session.rate(rating, 1.0)
    session.close()


@pytest.mark.parametrize("reader", ["", "  ", "=1+1", "@x", "A\x07B", "a" * 61])
def test_a_reader_needs_a_name(plan, reader):
    with pytest.raises(InputError, match="must begin with a letter"):
        RatingSession(plan, reader)


def test_different_readers_never_share_a_file(plan):
    names = ["A B", "A-B", "a_b", "Ä B", "AB", "李", "王"]
    assert len({ratings_file(plan.folder, name) for name in names}) == len(names)
    assert ratings_file(plan.folder, "AB").name == "ratings-ab.csv"


def test_a_line_that_was_not_written_to_its_end_is_dropped(plan):
    session = RatingSession(plan, "AB")
    session.rate(2, 1.0)
    session.rate(3, 1.0)
    session.close()
    session.path.write_bytes(session.path.read_bytes()[:-4])
    again = RatingSession(plan, "AB")
    assert again.position == 1
    again.rate(4, 1.0)
    again.close()
    assert [each.rating for each in read_ratings(again.path, again.order).values()] == [2, 4]


def test_a_full_disk_is_reported_and_the_rating_is_not_counted(plan, monkeypatch):
    session = RatingSession(plan, "AB")
    session.rate(2, 1.0)
    before = session.path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ThyroidSynthLib.evaluation.reader_study.ratings.os.fsync", full)
    with pytest.raises(OutputError, match="the disk is full"):
        session.rate(3, 1.0)
    assert session.position == 1 and session.path.read_bytes() == before
    session.close()


def test_a_table_that_another_program_changed_is_refused_and_kept(plan):
    session = RatingSession(plan, "AB")
    session.rate(2, 1.0)
    session.close()
    good = session.path.read_text()
    wrong_shape = good.replace(f",{session.order[0].shape},1,2,", f",{session.order[0].shape % 10 + 1},1,2,")
    for changed in (
        good.replace(",", ";"),
        good.replace(",2,1.0,", ",9,1.0,"),
        good.replace(",1.0,", ",nan,"),
        wrong_shape,
        good.replace("AB", "CD"),
    ):
        assert changed != good
        session.path.write_text(changed)
        with pytest.raises(InputError, match=r"ratings-ab\.csv.*Restore"):
            RatingSession(plan, "AB")
        assert session.path.read_text() == changed


def test_a_table_with_a_cell_without_end_is_refused(plan):
    session = RatingSession(plan, "AB")
    session.rate(2, 1.0)
    session.close()
    with session.path.open("a") as stream:
        stream.write('"' + "x" * 200_000 + "\n")
    for read in (lambda: RatingSession(plan, "AB"), lambda: summarise(plan.folder)):
        with pytest.raises(InputError, match="cannot be read as a table"):
            read()


def test_a_reader_in_another_slicer_is_refused(plan):
    import subprocess
    import sys

    program = (
        "import sys; from ThyroidSynthLib.evaluation.reader_study import *; "
        "RatingSession(StudyPlan.open(sys.argv[1]), 'AB')"
    )
    session = RatingSession(plan, "AB")
    arguments = [sys.executable, "-c", program, str(plan.folder)]
    found = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert InUseError.__name__ in found.stderr
    session.close()
    assert subprocess.run(arguments, capture_output=True, check=False).returncode == 0


def test_shapes_of_a_cohort_are_real_and_a_synthetic_cohort_is_named_as_such(small_cohort, candidates, tmp_path):
    found = candidates_of_cohort(small_cohort.folder)
    assert [each.name for each in found] == list(small_cohort.ids)
    assert {each.kind for each in found} == {"real"}
    synthetic = [each for each in candidates if each.kind == "synthetic"]
    plan = create_study(tmp_path / "study", [*found[:3], *synthetic], seed=0)
    assert plan.notices == (f"The real shapes come from a synthetic dataset. {small_cohort.statement}",)
    shape = next(shape for shape in plan.shapes if shape.kind == "real")
    assert shape.source["cohort"] == small_cohort.checksum
    volume = small_cohort.surface(shape.name).volume / 1000
    assert shape.features["volume_ml"] == pytest.approx(volume, rel=0.02)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("ply", ("--mesh", "ply")),
        ("stl", ("--mesh", "stl", "--mesh-space", "RAS")),
        ("obj", ("--mesh", "obj", "--format", "none")),
        ("nii.gz", ()),
    ],
)
def test_thyroids_of_a_generated_cohort_are_synthetic_in_every_format(suffix, options, tmp_path):
    folder = tmp_path / "generated"
    place = ("--place-at", "12", "-34", "560", "--out", str(folder), "--quiet")
    assert main(["generate", str(kept_model("small")), "--count", "2", *options, *place]) == 0
    found = candidates_of_generated_cohort(folder)
    assert [each.name for each in found] == ["t00001", "t00002"]
    assert {each.kind for each in found} == {"synthetic"}
    entry = json.loads((folder / "manifest.json").read_text())["thyroids"][0]
    surface = found[0].read()
    assert surface.is_closed()
    # Wrongly placed or mirrored axes would change the features in the trachea frame.
    measured = measure_features(surface).as_dict()
    for name, tolerance in (("volume_ml", 0.02), ("symmetry", 0.05)):
        assert measured[name] == pytest.approx(entry["measured"][name], rel=tolerance)
    path = next(folder / file["path"] for file in entry["files"] if file["path"].endswith(suffix))
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(InputError, match="differs from what was generated"):
        found[0].read()


def test_a_folder_that_is_no_finished_generated_cohort_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"it has no manifest\.json"):
        candidates_of_generated_cohort(tmp_path)
    (tmp_path / "manifest.json").write_text('{"kind": "generated cohort", "complete": false}')
    with pytest.raises(InputError, match="is not complete"):
        candidates_of_generated_cohort(tmp_path)
    (tmp_path / "manifest.json").write_text('{"kind": "generated cohort", "complete": true}')
    with pytest.raises(InputError, match="is damaged"):
        candidates_of_generated_cohort(tmp_path)
