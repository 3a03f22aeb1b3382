"""Section "Patient": loading, proposed choices, measurements and warnings."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from support.dicom_files import THYROID_CODE, TRACHEA_CODE, ct_series, write_seg
from support.mask_files import with_header, write_nifti
from ThyroidSynthLib.dataset.case_sources import find_cases
from ThyroidSynthLib.dataset.cases import read_case
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.volume_files import read_grid, read_volume, write_volume
from ThyroidSynthLib.slicer.scene.patient.loading import load_case
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import volume_of_segment

REAL = Path(__file__).resolve().parents[4] / "Data" / "totalsegmentator_s0327"


@pytest.fixture
def two_cases(tmp_path, dataset):
    for name in ("a1", "b2"):
        shutil.copytree(dataset / "s0000", tmp_path / "cases" / name)
    return tmp_path / "cases"


def trigger(hands, name: str) -> None:
    """Choose an entry of the menu under "Load TotalSegmentator…"."""
    import qt

    (action,) = hands.openButton.menu().findChildren(qt.QAction, name)
    action.trigger()
    hands.app.process_events()


def reloaded_path_edit(hands):
    """Reload the module and return the path widget of the new panel; the old one is deleted later."""
    import qt

    old = hands.sourcePathEdit
    hands.module.reload()
    hands.module.widget.initializeParameterNode()
    (new,) = (each for each in hands.module.panel.findChildren(qt.QWidget, "sourcePathEdit") if each is not old)
    return new


def test_a_folder_chosen_in_the_menu_is_loaded(hands, dataset):
    hands.app.dialogs.expect("file", "folder", answer=str(dataset))
    trigger(hands, "openFolderAction")
    assert hands.parameters.ct.GetName() == "s0000 CT"
    assert "synthetic" in hands.loadNoteLabel.text


def label_map(folder: Path, dataset: Path, *, thyroid: int, trachea: int) -> Path:
    """Write the masks of the first case of a dataset as a label map without names."""
    gland = read_volume(dataset / "s0000" / "segmentations" / "thyroid_gland.nii.gz")
    windpipe = read_volume(dataset / "s0000" / "segmentations" / "trachea.nii.gz")
    both = gland.array * thyroid + (windpipe.array > gland.array) * trachea
    return write_nifti(folder / "all.nii.gz", both.astype(np.uint8), gland.ijk_to_ras)


def choose_label(hands, row: int, text: str) -> None:
    box = hands.labelTable.cellWidget(row, 2)
    box.setCurrentIndex(box.findText(text))
    hands.app.process_events()


def test_a_file_without_label_names_is_loaded_after_choosing_its_task(hands, dataset, tmp_path):
    case = read_case(find_cases(dataset)[0])
    path = label_map(tmp_path, dataset, thyroid=17, trachea=16)
    hands.app.dialogs.expect("file", "Label map", answer=str(path))
    assert hands.classMapSelector.isHidden()
    trigger(hands, "openFileAction")
    # The task can be chosen only where it is needed.
    assert not hands.classMapSelector.isHidden()
    hands.choose("classMapSelector", "TotalSegmentator v2, task total")
    hands.click("loadButton")
    volume = volume_of_segment(hands.parameters.segmentation, "thyroid_gland")
    assert volume.array.sum() == case.thyroid.array.sum()
    assert "has no CT" in hands.loadNoteLabel.text


def test_the_labels_of_a_file_without_names_are_chosen_in_a_table(hands, dataset, tmp_path):
    case = read_case(find_cases(dataset)[0])
    path = label_map(tmp_path, dataset, thyroid=2, trachea=5)
    assert hands.labelTable.isHidden()
    hands.load(path)
    assert hands.parameters.segmentation is None
    assert not hands.labelTable.isHidden()
    assert "all.nii.gz has no label names" in hands.loadNoteLabel.text
    texts = [[hands.labelTable.item(row, column).text() for column in (0, 1)] for row in range(2)]
    assert texts == [["2", f"{case.thyroid_mask.volume_ml:.1f} mL"], ["5", f"{case.trachea_mask.volume_ml:.1f} mL"]]
    choose_label(hands, 0, "thyroid")
    choose_label(hands, 1, "trachea")
    hands.click("loadButton")
    for name, mask in (("thyroid_gland", case.thyroid_mask), ("trachea", case.trachea_mask)):
        assert volume_of_segment(hands.parameters.segmentation, name).array.sum() == mask.volume.array.sum()
    # Another file has other labels.
    hands.load(dataset)
    assert hands.labelTable.isHidden()


def test_the_labels_chosen_for_one_file_of_a_folder_count_for_all(hands, dataset, tmp_path):
    for name in ("p1", "p2"):
        (tmp_path / "cases" / name).mkdir(parents=True)
        label_map(tmp_path / "cases" / name, dataset, thyroid=2, trachea=5)
    hands.load(tmp_path / "cases")
    assert "all.nii.gz has no label names" in hands.loadNoteLabel.text
    choose_label(hands, 0, "thyroid")
    choose_label(hands, 1, "trachea")
    hands.click("loadButton")
    assert "2 cases" in hands.loadNoteLabel.text
    hands.choose("caseSelector", "p2")
    hands.click("loadButton")
    assert hands.parameters.segmentation.GetName().startswith("p2")
    assert not hands.labelTable.isHidden()


def test_lobes_that_are_chosen_in_the_table_are_joined(hands, dataset, tmp_path):
    case = read_case(find_cases(dataset)[0])
    path = label_map(tmp_path, dataset, thyroid=1, trachea=3)
    volume = read_volume(path)
    array = volume.array.copy()
    array[:, :, array.shape[2] // 2 :][array[:, :, array.shape[2] // 2 :] == 1] = 2
    write_nifti(path, array, volume.ijk_to_ras)
    hands.load(path)
    for row, text in enumerate(("left lobe of the thyroid", "right lobe of the thyroid", "trachea")):
        choose_label(hands, row, text)
    hands.click("loadButton")
    assert volume_of_segment(hands.parameters.segmentation, "thyroid_gland").array.sum() == case.thyroid.array.sum()
    assert "joined from its parts" in hands.loadNoteLabel.text


def test_lobes_of_a_segmentation_in_the_scene_are_joined(hands, dataset):
    import slicer

    from ThyroidSynthLib.slicer.scene.volumes import image_of_volume

    hands.load(dataset)
    whole = volume_of_segment(hands.parameters.segmentation, "thyroid_gland")
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "lobes")
    middle = whole.array.shape[2] // 2
    for name, cut in (("Glnd_Thyroid_L", slice(None, middle)), ("Glnd_Thyroid_R", slice(middle, None))):
        array = np.zeros_like(whole.array)
        array[:, :, cut] = whole.array[:, :, cut]
        lobe = image_of_volume(Volume(array, whole.ijk_to_ras).cropped())
        other.AddSegmentFromBinaryLabelmapRepresentation(lobe, name, [1, 0, 0], name)
    hands.segmentationSelector.setCurrentNode(other)
    hands.app.process_events()
    joined = hands.parameters.thyroidSegmentID
    assert joined not in ("", "Glnd_Thyroid_L", "Glnd_Thyroid_R")
    assert volume_of_segment(other, joined).array.sum() == whole.array.sum()
    assert "were joined as the segment" in hands.statusLabel.text


def test_cancelling_the_choice_changes_nothing(hands):
    hands.app.dialogs.expect("file", "folder", answer="")
    trigger(hands, "openFolderAction")
    assert hands.parameters.segmentation is None


def test_one_of_several_cases_is_chosen_and_loaded(hands, two_cases):
    assert hands.caseSelector.isHidden()
    hands.load(two_cases)
    assert hands.parameters.segmentation is None
    assert "2 cases" in hands.loadNoteLabel.text
    assert not hands.caseSelector.isHidden()
    hands.choose("caseSelector", "b2")
    hands.click("loadButton")
    assert hands.parameters.ct.GetName() == "b2 CT"
    assert not hands.caseSelector.isHidden()


def test_recent_paths_are_remembered_in_the_next_session(hands, dataset, two_cases):
    hands.load(dataset)
    hands.load(two_cases / "b2")
    assert hands.parameters.source == two_cases / "b2"
    box = reloaded_path_edit(hands).comboBox()
    assert [box.itemText(row) for row in range(box.count)] == [str(two_cases / "b2"), str(dataset)]


def test_a_new_panel_has_no_path_chosen(hands, dataset):
    import slicer

    hands.load(dataset)
    slicer.mrmlScene.Clear(False)
    hands.app.process_events()
    assert reloaded_path_edit(hands).currentPath == ""


@pytest.mark.parametrize("folder", [False, True])
def test_a_dicom_segmentation_is_loaded_over_the_ct_in_the_scene(hands, dataset, tmp_path, folder):
    hands.load(dataset)
    ct = hands.parameters.ct
    case = read_case(find_cases(dataset)[0])
    masks, images = {}, None
    for name, mask in (("a", "thyroid_gland"), ("b", "trachea")):
        volume = read_volume(dataset / "s0000" / "segmentations" / f"{mask}.nii.gz")
        masks[name] = volume.array.astype(np.uint8)
        images = images or ct_series(volume.array.shape, volume.ijk_to_ras)
    path = write_seg(tmp_path / "p" / "seg", masks, images, codes_of={"a": THYROID_CODE, "b": TRACHEA_CODE})
    hands.load(path.parent if folder else path)
    assert hands.parameters.ct is ct
    assert hands.parameters.segmentation.GetName().startswith("p")
    for name, mask in (("thyroid_gland", case.thyroid), ("trachea", case.trachea)):
        found = volume_of_segment(hands.parameters.segmentation, name)
        assert found.array.sum() == mask.array.sum()
        np.testing.assert_allclose(found.center_of_mass_ras(), mask.center_of_mass_ras(), atol=1e-3)
    role = hands.parameters.segmentation.GetReferenceImageGeometryReferenceRole()
    assert hands.parameters.segmentation.GetNodeReference(role) is ct


def test_the_ct_of_another_patient_is_no_longer_chosen(hands, dataset):
    hands.load(dataset)
    hands.load(REAL)
    assert hands.parameters.ct is None
    assert "is not inside 's0000 CT'" in hands.loadNoteLabel.text
    hands.measured()
    assert "38.4 mL" in hands.ownFeaturesLabel.text


def test_a_ct_with_two_placements_is_reported(hands, dataset, tmp_path):
    case = tmp_path / "turned"
    shutil.copytree(dataset / "s0000", case)
    shifted = read_grid(case / "ct.nii.gz").ijk_to_ras[:3] + [[0, 0, 0, 7.0]] * 3
    with_header(with_header(case / "ct.nii.gz", 280, "12f", *shifted.ravel()), 252, "2h", 1, 2)
    hands.load(case)
    assert "two placements" in hands.loadNoteLabel.text


def test_thyroid_and_trachea_are_measured_without_warning_for_a_normal_patient(hands, dataset):
    hands.load(dataset)
    hands.measured()
    case = read_case(find_cases(dataset)[0])
    assert f"{case.trachea_mask.volume_ml:.1f} mL" in hands.tracheaInfoLabel.text
    assert "isthmus" in hands.ownFeaturesLabel.text
    assert hands.qualityLabel.text == ""
    assert hands.qualityLabel.isHidden()


def test_a_gland_cut_by_the_border_and_an_island_are_reported(hands, dataset, tmp_path):
    case = tmp_path / "cut"
    shutil.copytree(dataset / "s0000", case)
    path = case / "segmentations" / "thyroid_gland.nii.gz"
    volume = read_volume(path)
    array = np.roll(volume.array, -int(np.nonzero(volume.array)[0].min()), axis=0)
    away_mm = 1.5 * ndimage.distance_transform_edt(array == 0)[-3:-1, 2, 2].min()
    array[-3:-1, 2, 2] = 1
    write_volume(Volume(array, volume.ijk_to_ras), path)
    hands.load(case)
    hands.measured()
    assert "cut by the scan's border" in hands.qualityLabel.text
    island = f"1 island(s) of the thyroid are ignored (0.0067 mL, up to {away_mm:.0f} mm away)."
    assert island in hands.qualityLabel.text
    assert not hands.qualityLabel.isHidden()


def test_without_a_thyroid_only_the_trachea_is_measured(hands, dataset):
    hands.load(dataset)
    hands.measured()
    hands.choose("thyroidSelector", "none")
    # An empty choice is replaced by the segment found, until that is removed.
    hands.parameters.segmentation.GetSegmentation().RemoveSegment("thyroid_gland")
    hands.app.process_events()
    hands.wait(lambda: hands.qualityLabel.text != "")
    assert "mm" in hands.tracheaInfoLabel.text
    assert hands.ownFeaturesLabel.text == ""
    # The model that is chosen needs the level of the gland.
    assert hands.qualityLabel.text.startswith("⚠ There is no thyroid: new ones are placed at an estimated level")
    assert "\n" not in hands.qualityLabel.text


def test_a_changed_segment_is_measured_again(hands, dataset):
    import slicer

    hands.load(dataset)
    hands.measured()
    before = hands.ownFeaturesLabel.text
    node, ct = hands.parameters.segmentation, hands.parameters.ct
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, "thyroid_gland", ct).copy()
    array[: np.nonzero(array)[0].mean().astype(int)] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, "thyroid_gland", ct)
    hands.wait(lambda: "mL" in hands.ownFeaturesLabel.text and hands.ownFeaturesLabel.text != before)


def test_nodes_in_the_scene_are_proposed_on_entering(hands, dataset):
    hands.module.leave()
    loaded = load_case(hands.app.scene, find_cases(dataset)[0])
    hands.module.select()
    assert hands.parameters.ct is loaded.ct
    assert hands.parameters.segmentation is loaded.segmentation
    assert hands.tracheaSelector.currentText == "trachea"
    hands.measured()
    # A choice of the user is kept.
    other = hands.app.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "other")
    hands.segmentationSelector.setCurrentNode(other)
    hands.module.leave()
    hands.module.select()
    assert hands.parameters.segmentation is other


def test_the_sample_case_is_loaded_by_one_click_and_created_once(hands, monkeypatch):
    from ThyroidSynthLib.dataset.synthetic import dataset

    hands.click("sampleDataButton")
    assert hands.parameters.ct.GetName() == "Synthetic example CT"
    assert hands.parameters.segmentation.GetName() == "Synthetic example segmentation"
    assert "synthetic" in hands.loadNoteLabel.text
    hands.measured()
    monkeypatch.delattr(dataset, "write_example_dataset")
    hands.click("sampleDataButton")
    assert hands.parameters.ct.GetName() == "Synthetic example CT_1"


def test_the_first_thyroid_appears_within_three_clicks_of_opening_the_module(hands):
    hands.click("sampleDataButton")
    hands.click("generateButton")
    (node,) = generated_thyroids(hands.app.scene)
    shown = hands.app.view("1").grab().astype(int)
    node.GetDisplayNode().SetVisibility(False)
    assert (np.abs(shown - hands.app.view("1").grab()).max(axis=2) > 20).sum() > 100


def test_the_sample_case_is_listed_in_slicers_sample_data(hands):
    import slicer

    from standin import sample_data

    (source,) = slicer.modules.sampleDataSources["ThyroidSynth"]
    assert source.uris == ["thyroidsynth:example-case"]
    assert Path(source.thumbnailFileName).is_file()
    assert "synthetic" in source.nodeNames[0]
    ct, segmentation = sample_data.click("ThyroidSynthExample")
    assert ct.GetName() == "Synthetic example CT"
    # The panel proposes it on entering, because it was loaded outside the panel.
    hands.module.leave()
    hands.module.select()
    assert hands.parameters.segmentation is segmentation


def test_what_was_said_of_a_loaded_case_goes_with_the_scene(hands, dataset):
    import slicer

    hands.load(dataset)
    assert hands.loadNoteLabel.text
    slicer.mrmlScene.Clear(False)
    hands.app.process_events()
    assert hands.loadNoteLabel.text == ""
