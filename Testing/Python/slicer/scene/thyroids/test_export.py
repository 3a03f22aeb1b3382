"""Thyroids of the scene are written to files at the right place."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.export.merging import MergeRules
from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map
from ThyroidSynthLib.imaging.volume_files import read_volume
from ThyroidSynthLib.slicer.scene.merged_map import map_of_segmentation, map_of_volume
from ThyroidSynthLib.slicer.scene.thyroids.export import SceneFiles, export_thyroid, file_stem, write_table
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, add_generated_thyroid, replace_surface
from ThyroidSynthLib.slicer.scene.volumes import grid_of_ct, surface_of_segment, volume_of_segment


@pytest.fixture
def generated(scene, loaded, own_surface):
    """A thyroid that is the patient's own, a little to the patient's left."""
    moved = own_surface.moved(own_surface.vertices - np.array([3.0, 0.0, 0.0]))
    return add_generated_thyroid(scene, "Generated thyroid", moved, ct=loaded.ct)


@pytest.fixture
def patient(loaded):
    return map_of_segmentation(loaded.segmentation, "thyroid_gland", loaded.ct)


def test_a_label_map_on_the_ct_grid_is_written_and_reads_back(generated, loaded, own_surface, tmp_path):
    written = export_thyroid(generated, "t", tmp_path, SceneFiles(ct=loaded.ct))
    read = read_volume(tmp_path / "t.nii.gz")
    assert written.files == (tmp_path / "t.nii.gz",)
    assert read.array.shape == grid_of_ct(loaded.ct).shape
    assert written.label_volume_ml == pytest.approx(read.array.sum() * read.voxel_volume_ml)
    assert written.label_volume_ml == pytest.approx(own_surface.volume / 1000, rel=0.02)
    centre = own_surface.vertices.mean(axis=0) - [3, 0, 0]
    np.testing.assert_allclose(read.center_of_mass_ras(), centre, atol=4.0)


def test_a_label_map_that_would_be_cut_off_is_refused(generated, loaded, patient, own_surface, tmp_path):
    replace_surface(generated, own_surface.moved(own_surface.vertices + np.array([500.0, 0.0, 0.0])))
    for options in (SceneFiles(ct=loaded.ct), SceneFiles(label_format=None, patient=patient)):
        with pytest.raises(OutputError, match="outside"):
            export_thyroid(generated, "t", tmp_path, options)
    assert not list(tmp_path.iterdir())


def test_any_spacing_and_meshes_in_both_spaces(generated, tmp_path):
    import trimesh

    surface = surface_of_segment(generated, SEGMENT_ID)
    options = SceneFiles("nrrd", spacing_mm=(0.7, 0.7, 2.5), mesh_formats=("ply", "stl", "obj"), mesh_space="RAS")
    export_thyroid(generated, "t", tmp_path, options)
    np.testing.assert_allclose(read_volume(tmp_path / "t.nrrd").spacing_mm, [0.7, 0.7, 2.5])
    for suffix in ("ply", "stl", "obj"):
        np.testing.assert_allclose(trimesh.load(tmp_path / f"t.{suffix}").bounds, surface.bounds, atol=1e-3)


def test_a_node_changed_in_the_segment_editor_is_exported_as_it_is(generated, loaded, tmp_path):
    from ThyroidSynthLib.slicer.scene.volumes import image_of_volume

    own = volume_of_segment(loaded.segmentation, "thyroid_gland")
    own.array[: own.array.shape[0] // 2] = 0
    generated.SetSourceRepresentationToBinaryLabelmap()
    generated.GetSegmentation().RemoveAllSegments()
    generated.AddSegmentFromBinaryLabelmapRepresentation(image_of_volume(own), "thyroid", (1, 0, 0), "other id")
    export_thyroid(generated, "t", tmp_path, SceneFiles(ct=loaded.ct))
    assert read_volume(tmp_path / "t.nii.gz").array.sum() == (own.array != 0).sum()
    generated.GetSegmentation().RemoveAllSegments()
    with pytest.raises(InputError, match="no thyroid segment"):
        export_thyroid(generated, "t", tmp_path, SceneFiles(ct=loaded.ct))


@pytest.mark.parametrize("label_format", ["nii.gz", "nrrd"])
def test_the_patients_map_is_written_with_the_thyroid_replaced(generated, loaded, patient, tmp_path, label_format):
    options = SceneFiles(label_format, ct=loaded.ct, patient=patient, rules=MergeRules(overwrite=False))
    written = export_thyroid(generated, "t", tmp_path, options)
    merged = read_label_map(written.files[1])
    trachea = volume_of_segment(loaded.segmentation, "trachea")
    names = {name: label for label, name in merged.names.items()}
    assert merged.volume.array.shape == grid_of_ct(loaded.ct).shape
    assert (merged.volume.array == names["trachea"]).sum() == trachea.array.sum()
    thyroid = (merged.volume.array == names["thyroid gland"]).sum() * merged.volume.voxel_volume_ml
    assert thyroid == pytest.approx(written.merged.written_ml)
    assert {each.name for each in written.merged.overlaps} <= {"trachea"}
    assert (tmp_path / "t_merged_labels.csv").read_text().startswith("label,name\n1,")
    assert surface_of_segment(loaded.segmentation, "thyroid_gland").volume / 1000 == pytest.approx(
        written.merged.old_ml, rel=0.02
    )


def test_replacing_a_thyroid_by_itself_leaves_the_map_unchanged(scene, loaded, patient, own_surface, tmp_path):
    same = add_generated_thyroid(scene, "same", own_surface, ct=loaded.ct)
    written = export_thyroid(same, "t", tmp_path, SceneFiles(None, patient=patient))
    assert np.array_equal(read_label_map(written.files[0]).volume.array, patient.labels.volume.array)


def test_label_maps_keep_the_geometry_of_the_cts_file_under_a_transform(scene, loaded, generated, patient, tmp_path):
    before = export_thyroid(generated, "a", tmp_path, SceneFiles(ct=loaded.ct, patient=patient))
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(a_turn())
    for node in (loaded.ct, loaded.segmentation, generated):
        node.SetAndObserveTransformNodeID(transform.GetID())
    moved = map_of_segmentation(loaded.segmentation, "thyroid_gland", loaded.ct)
    after = export_thyroid(generated, "b", tmp_path, SceneFiles(ct=loaded.ct, patient=moved))
    assert np.array_equal(moved.labels.volume.array, patient.labels.volume.array)
    for old, new in zip(before.files[:2], after.files[:2], strict=True):
        first, second = read_volume(old), read_volume(new)
        np.testing.assert_allclose(first.ijk_to_ras, second.ijk_to_ras)
        assert (first.array != second.array).sum() <= 5


def a_turn():
    from vtkmodules.vtkCommonTransforms import vtkTransform

    transform = vtkTransform()
    transform.Translate(20, -30, 12)
    transform.RotateZ(20)
    return transform.GetMatrix()


def test_overlapping_segments_are_reported_and_never_cover_the_thyroid(scene, loaded):
    from ThyroidSynthLib.slicer.scene.volumes import image_of_volume

    thyroid = volume_of_segment(loaded.segmentation, "thyroid_gland")
    loaded.segmentation.AddSegmentFromBinaryLabelmapRepresentation(
        image_of_volume(thyroid), "nodule", (0, 0, 1), "nodule"
    )
    loaded.segmentation.GetSegmentation().AddEmptySegment("nothing", "nothing")
    patient = map_of_segmentation(loaded.segmentation, "thyroid_gland", loaded.ct)
    assert patient.notes == ("thyroid gland covers part of nodule",)
    assert (patient.labels.volume.array == patient.thyroid_label).sum() == thyroid.array.sum()
    # A segment without voxels is no label of the map.
    assert set(patient.labels.names.values()) == {"thyroid gland", "trachea", "nodule"}


def test_segments_keep_their_values_colours_and_terminology_in_the_merged_map(loaded, generated, tmp_path):
    from vtkmodules.util.numpy_support import vtk_to_numpy

    content, values = loaded.segmentation.GetSegmentation(), {170: "thyroid gland", 15: "trachea"}
    for value, segment_id in zip(values, ("thyroid_gland", "trachea"), strict=True):
        segment = content.GetSegment(segment_id)
        voxels = vtk_to_numpy(segment.GetRepresentation("Binary labelmap").GetPointData().GetScalars())
        voxels[voxels == segment.GetLabelValue()] = value
        segment.SetLabelValue(value)
    trachea = content.GetSegment("trachea")
    trachea.SetColor(0.25, 0.5, 0.75)
    patient = map_of_segmentation(loaded.segmentation, "thyroid_gland", loaded.ct)
    assert patient.labels.names == values
    written = export_thyroid(generated, "t", tmp_path, SceneFiles("nrrd", ct=loaded.ct, patient=patient))
    merged = read_label_map(written.files[1])
    assert merged.names == values
    look = merged.looks[trachea.GetLabelValue()]
    assert (look.colour, look.id) == (pytest.approx((0.25, 0.5, 0.75)), "trachea")
    assert look.terminology == trachea.GetTerminology() != ""


def test_segments_with_one_value_get_different_labels(scene, loaded):
    from ThyroidSynthLib.slicer.scene.volumes import image_of_volume

    own = volume_of_segment(loaded.segmentation, "trachea")
    loaded.segmentation.AddSegmentFromBinaryLabelmapRepresentation(image_of_volume(own), "again", (0, 0, 1), "again")
    content = loaded.segmentation.GetSegmentation()
    assert {content.GetSegment(each).GetLabelValue() for each in content.GetSegmentIDs()} == {1}
    patient = map_of_segmentation(loaded.segmentation, "thyroid_gland", loaded.ct)
    assert set(patient.labels.names) == {1, 2, 3} and patient.labels.names[1] == "thyroid gland"


def test_the_merged_map_follows_a_separate_voxel_size(loaded, generated, patient, tmp_path):
    coarse = patient.with_spacing((2.0, 2.0, 4.0))
    written = export_thyroid(generated, "t", tmp_path, SceneFiles(None, patient=coarse))
    merged = read_label_map(written.files[0])
    assert merged.volume.spacing_mm == pytest.approx([2.0, 2.0, 4.0]) and merged.names == patient.labels.names
    for label in patient.labels.names:
        own = (patient.labels.volume.array == label).sum() * patient.labels.volume.voxel_volume_ml
        now = (coarse.labels.volume.array == label).sum() * coarse.labels.volume.voxel_volume_ml
        assert now == pytest.approx(own, rel=0.1)
    assert any("resampled to voxels of 2 x 2 x 4 mm" in note for note in written.merged.notes)


@pytest.fixture
def recorded(generated, loaded, own_surface):
    """The generated thyroid with a record of its features and a target that it meets."""
    from ThyroidSynthLib.geometry.features import measure_features
    from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord, write_record
    from ThyroidSynthLib.slicer.scene.volumes import placement_of_patient

    placement = placement_of_patient(loaded.segmentation, "trachea")
    surface = surface_of_segment(generated, SEGMENT_ID)
    measured = measure_features(surface.moved(placement.to_trachea(surface.vertices))).as_dict()
    record = ThyroidRecord(
        seed=3,
        code=(0.5, -1.0),
        targets={"volume_ml": measured["volume_ml"]},
        measured=measured,
        trachea_to_ras=tuple(placement.trachea_to_ras.ravel().tolist()),
        model="feed",
        met=True,
    )
    write_record(generated, record)
    return generated


def row_of(node, folder, options):
    written = export_thyroid(node, "t", folder, options)
    write_table([written], folder / "thyroids.csv")
    (row,) = csv.DictReader((folder / "thyroids.csv").open())
    return written, row


def test_an_unchanged_thyroid_has_the_features_of_its_record(recorded, loaded, tmp_path):
    written, row = row_of(recorded, tmp_path, SceneFiles(ct=loaded.ct))
    assert not written.changed and (row["changed_in_scene"], row["met"]) == ("False", "True")
    assert float(row["written_volume_ml"]) == pytest.approx(written.label_volume_ml, rel=1e-5)
    assert float(row["volume_ml"]) == pytest.approx(float(row["target_volume_ml"]), rel=1e-4)
    assert row["measured_on"] == "label map"


def test_a_thyroid_that_was_changed_by_hand_is_measured_as_it_is(recorded, loaded, patient, tmp_path):
    """Half of it was erased in the Segment Editor: files and table hold the other half."""
    from ThyroidSynthLib.slicer.scene.volumes import image_of_volume

    whole = float(row_of(recorded, tmp_path, SceneFiles(ct=loaded.ct))[1]["volume_ml"])
    voxels = volume_of_segment(recorded, SEGMENT_ID)
    voxels.array[: voxels.array.shape[0] // 2] = 0
    recorded.SetSourceRepresentationToBinaryLabelmap()
    recorded.GetSegmentation().RemoveAllSegments()
    recorded.AddSegmentFromBinaryLabelmapRepresentation(image_of_volume(voxels), "thyroid", (1, 0, 0), SEGMENT_ID)

    written, row = row_of(recorded, tmp_path, SceneFiles(ct=loaded.ct, mesh_formats=("stl",), patient=patient))
    left = voxels.array.sum() * voxels.voxel_volume_ml
    assert written.changed and row["changed_in_scene"] == "True"
    assert float(row["volume_ml"]) == pytest.approx(left, rel=0.01) and left < 0.8 * whole
    assert written.label_volume_ml == pytest.approx(left, rel=0.05)
    assert written.merged.new_ml == pytest.approx(left, rel=0.05)
    assert (row["met"], row["measured_on"]) == ("False", "merged map")
    assert float(row["error_volume_ml"]) == pytest.approx(written.merged.written_ml - whole, abs=0.01)


def test_a_thyroid_under_a_transform_is_written_and_measured_where_it_lies(scene, recorded, loaded, tmp_path):
    from vtkmodules.vtkCommonTransforms import vtkTransform

    before = row_of(recorded, tmp_path, SceneFiles(spacing_mm=(1.0, 1.0, 1.0)))[1]
    centre = read_volume(tmp_path / "t.nii.gz").center_of_mass_ras()
    scale = vtkTransform()
    scale.Translate(*centre)
    scale.Scale(1.2, 1.2, 1.2)
    scale.Translate(*-centre)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(scale.GetMatrix())
    recorded.SetAndObserveTransformNodeID(transform.GetID())

    written, row = row_of(recorded, tmp_path, SceneFiles(spacing_mm=(1.0, 1.0, 1.0)))
    assert float(row["volume_ml"]) == pytest.approx(1.2**3 * float(before["volume_ml"]), rel=1e-3)
    assert written.label_volume_ml == pytest.approx(1.2**3 * float(before["volume_ml"]), rel=0.02)
    assert written.changed and row["met"] == "False"
    np.testing.assert_allclose(read_volume(tmp_path / "t.nii.gz").center_of_mass_ras(), centre, atol=0.3)

    # A motion takes the trachea frame along: the features hold, and the files lie where the thyroid was moved to.
    move = vtkTransform()
    move.Translate(4, -6, 10)
    transform.SetMatrixTransformToParent(move.GetMatrix())
    written, row = row_of(recorded, tmp_path, SceneFiles(spacing_mm=(1.0, 1.0, 1.0)))
    assert not written.changed and row["met"] == "True"
    assert float(row["symmetry"]) == pytest.approx(float(before["symmetry"]), abs=2e-3)
    np.testing.assert_allclose(
        read_volume(tmp_path / "t.nii.gz").center_of_mass_ras(), centre + np.array([4, -6, 10]), atol=0.01
    )


def test_a_label_map_volume_has_the_names_of_its_colour_table(scene, loaded, generated, tmp_path):
    import slicer

    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.ExportSegmentsToLabelmapNode(loaded.segmentation, [], node, loaded.ct)
    patient = map_of_volume(node)
    assert sorted(patient.labels.names.values()) == ["thyroid gland", "trachea"]
    assert [patient.thyroid_label] == patient.labels.thyroid_labels()
    written = export_thyroid(generated, "t", tmp_path, SceneFiles(None, patient=patient))
    assert read_label_map(written.files[0]).names == patient.labels.names
    other = next(label for label in patient.labels.names if label != patient.thyroid_label)
    assert map_of_volume(node, other).thyroid_label == other


def test_a_label_map_without_a_named_thyroid_needs_its_label(scene, loaded):
    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    import slicer

    assert slicer.vtkSlicerSegmentationsModuleLogic.ExportSegmentsToLabelmapNode(
        loaded.segmentation, ["trachea"], node, loaded.ct
    )
    with pytest.raises(InputError, match="does not name its thyroid"):
        map_of_volume(node)
    assert map_of_volume(node, 9).thyroid_label == 9


def test_the_table_lists_files_and_checksums(generated, loaded, tmp_path):
    written = export_thyroid(generated, "t", tmp_path, SceneFiles(ct=loaded.ct, mesh_formats=("stl",)))
    write_table([written], tmp_path / "thyroids.csv")
    (row,) = csv.DictReader((tmp_path / "thyroids.csv").open())
    assert row["files"] == "t.nii.gz t.stl"
    assert len(row["sha256"].split()) == 2
    assert row["name"] == "Generated thyroid"


@pytest.mark.parametrize(
    ("name", "stem"),
    [("Generated thyroid", "Generated_thyroid"), ("a/b: c*", "a_b_c"), ("...", "thyroid"), ("Schilddrüse 1", None)],
)
def test_node_names_become_valid_file_names(name, stem):
    assert file_stem(name) == (stem or "Schilddrüse_1")


def test_nodes_of_equal_name_get_different_files():
    assert file_stem("a", {"a"}) == "a_2"
