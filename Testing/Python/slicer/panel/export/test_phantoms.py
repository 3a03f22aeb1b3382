"""The window of the phantoms: what it asks of the process, and what it loads."""

from __future__ import annotations

import csv
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from ThyroidSynthLib.export.cohort.cohort_run import CohortRun, CohortState
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map
from ThyroidSynthLib.imaging.volume_files import read_volume
from ThyroidSynthLib.slicer.scene.thyroids.present import thyroid_segment
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment, volume_of_segment


@pytest.fixture
def phantoms(ready, tmp_path, monkeypatch):
    """Return the panel with a thyroid and the window opened; `started` records the arguments instead of a process."""
    ready.click("generateButton")
    ready.open("phantom")
    ready.phantomFolderEdit.setCurrentPath(str(tmp_path / "phantoms"))
    ready.started = []
    monkeypatch.setattr(
        CohortRun,
        "start",
        lambda run, python, arguments, *, total: ready.started.append((total, list(arguments))),
    )
    ready.app.process_events()
    return ready


def option(arguments: list[str], name: str) -> str | None:
    return arguments[arguments.index(name) + 1] if name in arguments else None


def test_the_current_thyroid_becomes_a_phantom_of_the_whole_patient_with_a_ct(phantoms, tmp_path):
    import slicer

    phantoms.click("startPhantomButton")

    ((total, arguments),) = phantoms.started
    patient = tmp_path / "phantoms" / "patient"
    assert total == 1 and option(arguments, "--count") == "1"
    assert option(arguments, "--at") == str(patient) and option(arguments, "--gland") == str(patient / "gland.ply")
    assert "--paint-ct" in arguments and "--spacing" not in arguments and "--nodules" not in arguments
    content = phantoms.parameters.segmentation.GetSegmentation()
    assert len(read_label_map(patient / "structures.nii.gz").names) == content.GetNumberOfSegments()
    ct = read_volume(patient / "ct.nii.gz")
    assert np.array_equal(ct.array, slicer.util.arrayFromVolume(phantoms.parameters.ct))


def test_points_placed_in_the_views_become_nodules_with_three_diameters(phantoms, tmp_path):
    import slicer

    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "nodules")
    phantoms.choose("phantomNodulesSelector", "At points")
    assert not phantoms.phantomNoduleLRSlider.isHidden() and phantoms.phantomNoduleCountSpinBox.isHidden()
    phantoms.parameters.phantomPoints = points
    phantoms.phantomNoduleAPSlider.value = 7.5
    phantoms.choose("phantomCompositionSelector", "cystic")
    phantoms.app.dialogs.expect("error", "has no points")
    phantoms.click("startPhantomButton")
    assert phantoms.started == []

    points.AddControlPoint(21.5, -10.0, 3.25)
    phantoms.click("startPhantomButton")

    ((_, arguments),) = phantoms.started
    with (tmp_path / "phantoms" / "patient" / "nodules.csv").open(encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert option(arguments, "--nodules") == str(tmp_path / "phantoms" / "patient" / "nodules.csv")
    assert [float(row[name]) for name in ("r_mm", "a_mm", "s_mm")] == [21.5, -10.0, 3.25]
    assert (float(row["diameter_lr_mm"]), float(row["diameter_ap_mm"]), row["composition"]) == (10.0, 7.5, "cystic")


def test_new_thyroids_have_the_targets_of_create_and_random_nodules(phantoms):
    phantoms.choose("phantomGlandSelector", "New, targets of Create")
    phantoms.phantomCountSpinBox.setValue(12)
    phantoms.choose("phantomNodulesSelector", "At random")
    phantoms.phantomSpacingSpinBox.setValue(1.0)
    phantoms.choose("phantomSimulatorSelector", "MCX (light)")
    phantoms.click("startPhantomButton")

    ((total, arguments),) = phantoms.started
    assert total == 12 and option(arguments, "--count") == "12" and arguments[0] == str(phantoms.parameters.model)
    assert float(option(arguments, "--volume")) == pytest.approx(phantoms.parameters.volumeMl)
    assert option(arguments, "--nodules") == "count=poisson(2),diameter=4-20"
    assert (option(arguments, "--spacing"), option(arguments, "--simulator")) == ("1", "mcx")


def test_the_process_makes_the_phantom_and_the_panel_loads_it(phantoms, tmp_path, monkeypatch):
    """A real process, from the patient in the scene to the phantom in the scene."""
    import slicer

    monkeypatch.undo()
    phantoms.phantomCtCheckBox.setChecked(False)
    phantoms.phantomSpacingSpinBox.setValue(3.0)
    phantoms.click("startPhantomButton")
    phantoms.wait(lambda: not phantoms.stopPhantomButton.enabled and phantoms.phantomStateLabel.text, 120)
    assert phantoms.phantomStateLabel.text.startswith("Finished. Synthetic phantoms: 1."), (
        phantoms.phantomStateLabel.text
    )

    phantoms.click("loadPhantomButton")

    node = slicer.util.getNode("Phantom")
    content = node.GetSegmentation()
    names = {content.GetSegment(each).GetName() for each in content.GetSegmentIDs()}
    assert {"thyroid gland", "trachea", "soft tissue"} <= names
    made = volume_of_segment(node, content.GetSegmentIdBySegmentName("thyroid gland"))
    current = phantoms.parameters.result
    drawn = surface_of_segment(current, thyroid_segment(current))
    assert made.array.sum() * made.voxel_volume_ml == pytest.approx(drawn.volume / 1000, rel=0.05)
    filled = voxelise(drawn, Grid.around(drawn, spacing_mm=1.0))
    assert np.linalg.norm(made.center_of_mass_ras() - filled.center_of_mass_ras()) < 1.0


@pytest.mark.parametrize("kind", ["phantom", "cohort"])
def test_a_run_that_does_not_stop_on_request_is_killed_after_a_while(ready, tmp_path, monkeypatch, kind):
    state, requested, killed, clock = CohortState("running", 1, 4), [], [], [1000.0]
    monkeypatch.setattr(CohortRun, "state", lambda run: state)
    monkeypatch.setattr(CohortRun, "request_stop", lambda run: requested.append(run.folder))
    monkeypatch.setattr(CohortRun, "kill", lambda run: killed.append(run.folder))
    watch = sys.modules["ThyroidSynthLib.slicer.panel.export.run_watch"]
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    ready.open("export")
    ready.open(kind)
    folder = tmp_path / kind
    getattr(ready, f"{kind}FolderEdit").setCurrentPath(str(folder))
    label, bar = getattr(ready, f"{kind}StateLabel"), getattr(ready, f"{kind}ProgressBar")
    ready.wait(lambda: "1 of 4" in label.text and bar.value == 250)

    ready.click(f"stop{kind.capitalize()}Button")
    clock[0] += 50.0
    state = CohortState("stopping", 1, 4)
    ready.wait(lambda: "stopping" in label.text)
    assert not getattr(ready, f"stop{kind.capitalize()}Button").enabled
    assert (requested, killed) == ([folder], [])

    clock[0] += 20.0
    ready.wait(lambda: killed == [folder])
    state = CohortState("stopped", 1, 4)
    ready.wait(lambda: label.text.startswith("Stopped: 1 of 4"))


def test_without_a_patient_the_button_says_what_is_missing(hands):
    hands.open("phantom")
    assert not hands.startPhantomButton.enabled
    assert "patient with a CT and a trachea" in hands.startPhantomButton.toolTip


def test_a_finished_phantom_is_loaded_as_a_segmentation_and_a_synthetic_ct_beside_the_original(phantoms, tmp_path):
    import slicer

    from ThyroidSynthLib.imaging.label_map_files import write_label_map
    from ThyroidSynthLib.imaging.volume_files import write_volume

    ct = phantoms.parameters.ct
    ijk_to_ras = slicer.util.arrayFromVTKMatrix(_matrix_of(ct))
    shape = slicer.util.arrayFromVolume(ct).shape
    labels = np.full(shape, 200, np.uint8)
    labels[5:9, 5:9, 5:11], labels[20:22] = 17, 0
    folder = tmp_path / "phantoms" / "phantom_0001"
    folder.mkdir(parents=True)
    names = {17: "thyroid_gland", 200: "soft_tissue"}
    write_label_map(Volume(labels, ijk_to_ras), folder / "labels.nii.gz", names=names)
    write_volume(Volume(np.full(shape, 40, np.int16), ijk_to_ras), folder / "ct_synthetic.nii.gz")
    (folder / "phantom.json").write_text("{}")
    phantoms.app.process_events()
    phantoms.module.widget.panel.export.phantoms.refresh()

    phantoms.click("loadPhantomButton")

    node = slicer.util.getNode("Phantom")
    content, display = node.GetSegmentation(), node.GetDisplayNode()
    shown = {content.GetSegment(each).GetName(): display.GetSegmentVisibility(each) for each in content.GetSegmentIDs()}
    assert shown == {"thyroid gland": True, "soft tissue": False}
    thyroid = content.GetSegmentIdBySegmentName("thyroid gland")
    assert volume_of_segment(node, thyroid).array.sum() == 4 * 4 * 6
    synthetic = slicer.util.getNode("Phantom CT (synthetic)")
    (red,) = [
        each for each in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode") if each.GetLayoutName() == "Red"
    ]
    assert red.GetBackgroundVolumeID() == synthetic.GetID()
    assert np.allclose(slicer.util.arrayFromVTKMatrix(_matrix_of(synthetic)), ijk_to_ras, atol=1e-4)


def _matrix_of(volume):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix
