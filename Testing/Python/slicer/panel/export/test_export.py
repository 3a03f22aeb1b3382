"""Export through the panel's widgets: files are complete, correct and never replaced without asking."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from support.panel_hands import on_progress, save_section
from ThyroidSynthLib.export.cohort.cohort_run import CohortRun
from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map
from ThyroidSynthLib.imaging.volume_files import read_volume
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment, volume_of_segment


@pytest.fixture
def exporter(ready, tmp_path):
    """Return the panel with a thyroid, the section Export opened and a folder chosen."""
    ready.open("export")
    ready.exportAdvanced.collapsed = False
    ready.exactCheckBox.click()
    ready.click("generateButton")
    ready.exportFolderEdit.setCurrentPath(str(tmp_path / "out"))
    ready.app.process_events()
    return ready


def another(hands):
    """Generate one more thyroid."""
    hands.resultSelector.setCurrentNode(None)
    hands.seedSpinBox.setValue(hands.seedSpinBox.value + 1)
    hands.click("generateButton")


def names_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_current_thyroid_is_written_on_the_cts_grid(exporter, tmp_path):
    exporter.click("exportButton")

    node = exporter.parameters.result
    read = read_volume(tmp_path / "out" / "Generated_thyroid.nii.gz")
    surface = surface_of_segment(node, SEGMENT_ID)
    assert read.array.shape == exporter.parameters.ct.GetImageData().GetDimensions()[::-1]
    assert read.array.sum() * read.voxel_volume_ml == pytest.approx(surface.volume / 1000, rel=0.05)
    assert "read back" in exporter.exportLabel.text
    assert names_in(tmp_path / "out") == ["Generated_thyroid.nii.gz", "thyroids.csv"]
    (row,) = csv.DictReader((tmp_path / "out" / "thyroids.csv").open())
    record = read_record(node)
    assert int(row["seed"]) == record.seed
    assert np.array_equal(np.float32(row["code"].split()), np.float32(record.code))


def test_exporting_does_not_need_pytorch(exporter, tmp_path):
    exporter.app.installations.absent.add("torch")
    exporter.click("exportButton")
    assert (tmp_path / "out" / "Generated_thyroid.nii.gz").is_file()
    assert not exporter.app.installations.requested


def test_export_is_disabled_without_a_thyroid_and_asks_for_the_folder(ready, tmp_path, monkeypatch):
    import qt

    ready.open("export")
    assert not ready.exportButton.enabled
    assert "no thyroid" in ready.exportLabel.text
    ready.click("generateButton")
    chosen = iter(["", str(tmp_path)])
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_arguments: next(chosen))
    ready.click("exportButton")
    assert not list(tmp_path.iterdir())
    ready.click("exportButton")
    assert (tmp_path / "Generated_thyroid.nii.gz").is_file()
    assert ready.parameters.exportFolder == tmp_path
    assert next(chosen, None) is None


def test_all_or_ticked_thyroids_are_written_in_the_chosen_formats(exporter, tmp_path):
    another(exporter)
    another(exporter)
    exporter.choose("exportFormatSelector", "NRRD (.nrrd)")
    exporter.choose("exportGridSelector", "own grid")
    exporter.spacingSSpinBox.setValue(2.5)
    exporter.exportPlyCheckBox.click()
    exporter.exportStlCheckBox.click()
    exporter.choose("exportWhatSelector", "All in the scene")
    exporter.click("exportButton")
    assert len(names_in(tmp_path / "out")) == 3 * 3 + 1
    first = read_volume(tmp_path / "out" / "Generated_thyroid.nrrd")
    np.testing.assert_allclose(first.spacing_mm, [1.0, 1.0, 2.5])

    exporter.choose("exportWhatSelector", "Selected thyroids")
    assert exporter.exportList.count == 3
    import qt

    for row in (0, 2):
        exporter.exportList.item(row).setCheckState(qt.Qt.Unchecked)
    exporter.exportFolderEdit.setCurrentPath(str(tmp_path / "one"))
    exporter.click("exportButton")
    written = [name for name in names_in(tmp_path / "one") if name.endswith(".nrrd")]
    assert written == [f"{generated_thyroids(exporter.app.scene)[1].GetName().replace(' ', '_')}.nrrd"]


def test_existing_files_are_replaced_only_after_asking(exporter, tmp_path):
    import qt

    exporter.click("exportButton")
    path = tmp_path / "out" / "Generated_thyroid.nii.gz"
    path.write_bytes(b"mine")
    exporter.app.dialogs.expect("question", "2 of the files already exist", answer=qt.QMessageBox.No)
    exporter.click("exportButton")
    assert path.read_bytes() == b"mine"
    assert "Nothing was written" in exporter.statusLabel.text

    exporter.app.dialogs.expect("question", "Replace them", answer=qt.QMessageBox.Yes)
    exporter.click("exportButton")
    assert read_volume(path).array.any()


def test_the_merged_map_has_the_patients_structures_and_the_new_thyroid(exporter, tmp_path):
    segmentation = exporter.parameters.segmentation
    before = volume_of_segment(segmentation, "thyroid_gland").array.copy()
    exporter.exportLabelsCheckBox.click()
    exporter.exportMergedCheckBox.click()
    exporter.click("exportButton")

    merged = read_label_map(tmp_path / "out" / "Generated_thyroid_merged.nii.gz")
    names = {name: label for label, name in merged.names.items()}
    assert set(names) == {"thyroid gland", "trachea"}
    trachea = volume_of_segment(segmentation, "trachea").array.sum()
    assert (merged.volume.array == names["trachea"]).sum() == trachea
    surface = surface_of_segment(exporter.parameters.result, SEGMENT_ID)
    thyroid = (merged.volume.array == names["thyroid gland"]).sum() * merged.volume.voxel_volume_ml
    assert thyroid == pytest.approx(surface.volume / 1000, rel=0.1)
    assert "merged" in exporter.exportLabel.text
    assert "Generated_thyroid_merged_labels.csv" in names_in(tmp_path / "out")
    assert np.array_equal(volume_of_segment(segmentation, "thyroid_gland").array, before)


def test_the_merged_map_has_the_separate_voxel_size_of_the_label_map(exporter, tmp_path):
    exporter.exportMergedCheckBox.click()
    exporter.choose("exportGridSelector", "own grid")
    for axis in "RAS":
        getattr(exporter, f"spacing{axis}SpinBox").value = 3.0
    exporter.click("exportButton")

    merged = read_label_map(tmp_path / "out" / "Generated_thyroid_merged.nii.gz")
    assert merged.volume.spacing_mm == pytest.approx([3.0, 3.0, 3.0])
    assert set(merged.names.values()) == {"thyroid gland", "trachea"}
    assert "resampled to voxels of 3 x 3 x 3 mm" in exporter.exportLabel.text


def test_another_structure_can_replace_the_old_thyroid(exporter, tmp_path):
    exporter.exportMergedCheckBox.click()
    exporter.choose("exportFormatSelector", "NRRD (.nrrd)")
    exporter.choose("mergeOldSelector", "trachea")
    exporter.choose("mergeOverlapsSelector", "Overwrite them")
    assert exporter.parameters.mergeOld == "trachea"
    exporter.click("exportButton")

    merged = read_label_map(tmp_path / "out" / "Generated_thyroid_merged.seg.nrrd")
    names = {name: label for label, name in merged.names.items()}
    own = volume_of_segment(exporter.parameters.segmentation, "trachea").array.sum()
    assert (merged.volume.array == names["trachea"]).sum() > own


def test_a_thyroid_can_be_merged_into_a_label_map_volume(exporter, tmp_path):
    import slicer

    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.ExportSegmentsToLabelmapNode(exporter.parameters.segmentation, [], labels, exporter.parameters.ct)
    assert exporter.mergeThyroidSpinBox.isHidden()
    exporter.mergeLabelsSelector.setCurrentNode(labels)
    exporter.app.process_events()
    assert not exporter.mergeThyroidSpinBox.isHidden()
    exporter.exportMergedCheckBox.click()
    exporter.click("exportButton")
    assert (tmp_path / "out" / "Generated_thyroid_merged.nii.gz").is_file()


def test_impossible_choices_are_reported(exporter, tmp_path):
    exporter.exportLabelsCheckBox.click()
    exporter.app.dialogs.expect("error", "No files are chosen")
    exporter.click("exportButton")
    exporter.exportLabelsCheckBox.click()
    (tmp_path / "file").touch()
    exporter.exportFolderEdit.setCurrentPath(str(tmp_path / "file"))
    exporter.app.dialogs.expect("error", "is a file")
    exporter.click("exportButton")
    exporter.exportFolderEdit.setCurrentPath(str(tmp_path / "out"))
    exporter.parameters.ct = None
    exporter.app.process_events()
    exporter.app.dialogs.expect("error", "no CT")
    exporter.click("exportButton")
    assert not (tmp_path / "out").exists()


def test_closing_the_scene_ends_the_export(exporter, tmp_path, monkeypatch):
    done = on_progress(monkeypatch, "", lambda: exporter.app.scene.Clear(False))
    exporter.click("exportButton")
    assert done
    assert not exporter.cancelButton.enabled


def test_choices_and_ticks_are_restored_with_the_scene(exporter, tmp_path):
    import qt

    exporter.choose("exportWhatSelector", "Selected thyroids")
    exporter.exportList.item(0).setCheckState(qt.Qt.Unchecked)
    exporter.spacingRSpinBox.setValue(0.8)
    exporter.cohortCountSpinBox.setValue(7)
    exporter.open_scene(exporter.save_and_close(tmp_path))
    assert exporter.exportWhatSelector.currentText == "Selected thyroids"
    assert exporter.exportList.item(0).checkState() == qt.Qt.Unchecked
    assert exporter.parameters.spacingRMm == pytest.approx(0.8)
    assert exporter.cohortCountSpinBox.value == 7


@pytest.fixture
def cohort(ready, tmp_path):
    """Return the panel with the cohort's widgets opened and a folder chosen; end the process after the test."""
    ready.open("export")
    ready.open("cohort")
    folder = tmp_path / "cohort"
    ready.cohortFolderEdit.setCurrentPath(str(folder))
    ready.app.process_events()
    yield ready
    CohortRun(folder).kill()


def finish(hands) -> dict:
    hands.wait(lambda: "Finished" in hands.cohortStateLabel.text, 90)
    return json.loads((hands.parameters.cohortFolder / "manifest.json").read_text())


def test_a_cohort_is_generated_in_the_background_at_the_patients_trachea(cohort, tmp_path):
    cohort.exportStlCheckBox.click()
    cohort.exportMergedCheckBox.click()
    cohort.exactCheckBox.click()
    cohort.choose("cohortTargetsSelector", "Targets ticked in Generate")
    cohort.choose("cohortOverlapSelector", "Keep out, and remove what is left")
    cohort.cohortCountSpinBox.setValue(2)
    cohort.click("startCohortButton")
    assert "background" in cohort.statusLabel.text
    assert not cohort.startCohortButton.enabled

    manifest = finish(cohort)

    folder = tmp_path / "cohort"
    assert (manifest["complete"], manifest["count"]) == (True, 2)
    assert manifest["specification"]["targets"]["volume_ml"] == pytest.approx(cohort.parameters.volumeMl)
    files = [file["path"].split("/")[0] for file in manifest["thyroids"][0]["files"]]
    assert files == ["label_maps", "meshes", "merged"]
    labels = read_volume(folder / "label_maps" / "t00001.nii.gz")
    assert labels.array.shape == cohort.parameters.ct.GetImageData().GetDimensions()[::-1]
    np.testing.assert_allclose(
        labels.center_of_mass_ras(),
        volume_of_segment(cohort.parameters.segmentation, "thyroid_gland").center_of_mass_ras(),
        atol=25.0,
    )
    assert "trachea" in manifest["thyroids"][0]["overlap_ml"]
    assert cohort.cohortProgressBar.value == cohort.cohortProgressBar.maximum
    assert cohort.startCohortButton.enabled


def test_a_cohort_can_be_stopped_found_again_and_is_replaced_only_after_asking(cohort, tmp_path):
    import qt
    import slicer

    cohort.cohortAtPatientCheckBox.click()
    cohort.exportLabelsCheckBox.click()
    cohort.exactCheckBox.click()
    cohort.cohortCountSpinBox.setValue(5000)
    cohort.click("startCohortButton")
    folder = cohort.parameters.cohortFolder
    cohort.wait(lambda: CohortRun(folder).state().done >= 2, 90)
    slicer.mrmlScene.Clear(False)
    cohort.app.process_events()
    assert "of 5000" not in cohort.cohortStateLabel.text
    cohort.cohortFolderEdit.setCurrentPath(str(folder))
    cohort.wait(lambda: "of 5000" in cohort.cohortStateLabel.text)
    cohort.click("stopCohortButton")
    cohort.wait(lambda: "Stopped" in cohort.cohortStateLabel.text, 60)
    stopped = (folder / "manifest.json").read_bytes()

    cohort.app.dialogs.expect("question", "already holds a cohort", answer=qt.QMessageBox.No)
    cohort.cohortAtPatientCheckBox.click()
    cohort.click("startCohortButton")
    assert (folder / "manifest.json").read_bytes() == stopped


def test_the_masks_of_a_users_own_patient_folder_are_kept(cohort, tmp_path):
    import qt

    mask = tmp_path / "cohort" / "patient" / "trachea.nii.gz"
    mask.parent.mkdir(parents=True)
    mask.write_bytes(b"a user's")
    cohort.wait(lambda: "mL" in cohort.ownFeaturesLabel.text)

    cohort.app.dialogs.expect("question", "already holds a cohort", answer=qt.QMessageBox.Yes)
    cohort.app.dialogs.expect("error", "was not written by ThyroidSynth")
    cohort.click("startCohortButton")

    assert mask.read_bytes() == b"a user's"


def test_a_table_sets_the_number_and_the_targets(cohort, tmp_path):
    table = tmp_path / "targets.csv"
    table.write_text("volume_ml\n12\n15\n")
    cohort.cohortAtPatientCheckBox.click()
    cohort.exportLabelsCheckBox.click()
    cohort.exactCheckBox.click()
    cohort.choose("cohortTargetsSelector", "From a table")
    assert not cohort.cohortCountSpinBox.enabled
    cohort.cohortTableEdit.setCurrentPath(str(table))
    cohort.click("startCohortButton")
    manifest = finish(cohort)
    assert [entry["targets"]["volume_ml"] for entry in manifest["thyroids"]] == [12.0, 15.0]


def test_a_cohort_that_cannot_start_reports_the_reason(cohort, tmp_path):
    cohort.wait(lambda: "mL" in cohort.ownFeaturesLabel.text)
    cohort.segmentationSelector.setCurrentNode(None)
    cohort.app.process_events()
    cohort.app.dialogs.expect("error", "no patient with a trachea")
    cohort.click("startCohortButton")
    cohort.choose("cohortTargetsSelector", "From a table")
    cohort.cohortTableEdit.setCurrentPath(str(tmp_path / "nowhere.csv"))
    cohort.app.dialogs.expect("error", "does not exist")
    cohort.click("startCohortButton")
    assert not (tmp_path / "cohort" / "run.json").exists()


@pytest.mark.parametrize("dark", [False, True])
def test_the_section_fits_450_pixels_in_both_themes(exporter, picture_folder, dark):
    exporter.choose("exportWhatSelector", "Selected thyroids")
    exporter.choose("exportGridSelector", "own grid")
    exporter.open("cohort")
    exporter.exportMergedCheckBox.click()
    exporter.click("exportButton")
    section = exporter.module.widget.panel.export.widget
    path = save_section(section, picture_folder / f"section_export_{'dark' if dark else 'light'}.png", dark=dark)
    assert path.stat().st_size > 5_000
    assert section.minimumSizeHint.width() <= 450
