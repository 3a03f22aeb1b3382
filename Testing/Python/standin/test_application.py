"""Scene, files, settings, packages: what a module finds in the application."""

import numpy as np
import pytest

from standin import strictness

THYROID = (
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
    "~SCT^69748006^Thyroid~^^~Anatomic codes - DICOM master list~^^~^^"
)


def test_the_start_has_no_faults(slicer_app):
    assert strictness.start_faults == []


def test_volumes_are_saved_and_loaded(slicer_app, a_ct_node, tmp_path):
    import slicer

    assert slicer.util.saveNode(a_ct_node, str(tmp_path / "ct.nrrd"))
    again = slicer.util.loadVolume(str(tmp_path / "ct.nrrd"))
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(again), slicer.util.arrayFromVolume(a_ct_node))
    np.testing.assert_allclose(again.GetOrigin(), a_ct_node.GetOrigin())


def test_segmentations_are_saved_and_loaded(slicer_app, a_segmentation_node, tmp_path):
    import slicer

    assert slicer.util.saveNode(a_segmentation_node, str(tmp_path / "s.seg.nrrd"))
    again = slicer.util.loadSegmentation(str(tmp_path / "s.seg.nrrd"))
    assert again.GetSegmentation().GetSegmentIDs() == ("thyroid_gland", "trachea")


def test_a_missing_file_raises(slicer_app, tmp_path):
    import slicer

    with pytest.raises(RuntimeError, match="Failed to load"):
        slicer.util.loadVolume(str(tmp_path / "none.nrrd"))


def test_terminology_of_thyroid_and_trachea_is_known(slicer_app):
    import slicer

    logic = slicer.modules.terminologies.logic()
    entry = slicer.vtkSlicerTerminologyEntry()
    assert logic.DeserializeTerminologyEntry(THYROID, entry)
    kind, names, colours = slicer.vtkSlicerTerminologyType(), [], []
    context, category = entry.GetTerminologyContextName(), entry.GetCategoryObject()
    for index in range(logic.GetNumberOfTypesInTerminologyCategory(context, category)):
        assert logic.GetNthTypeInTerminologyCategory(context, category, index, kind)
        names.append(kind.GetCodeMeaning())
        colours.append(kind.GetRecommendedDisplayRGBValue())
    assert names == [entry.GetTypeObject().GetCodeMeaning(), "Trachea"]
    assert colours == [(62, 162, 114), (182, 228, 255)]


def test_nodes_get_a_place_in_the_subject_hierarchy_and_lose_it(slicer_app, scene, a_ct_node):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    assert hierarchy.GetItemByDataNode(a_ct_node) > 0
    count = hierarchy.GetNumberOfItems()
    scene.RemoveNode(a_ct_node)
    assert hierarchy.GetNumberOfItems() == count - 1


def test_settings_live_for_one_test(slicer_app):
    import qt
    import slicer

    assert not slicer.app.settings().contains("Probe/Key")
    qt.QSettings().setValue("Probe/Key", "x")
    assert slicer.util.settingsValue("Probe/Key", "") == "x"
    assert str(slicer.app.slicerUserSettingsFilePath).startswith(slicer.app.temporaryPath)


def test_settings_are_gone_in_the_next_test(slicer_app):
    import qt

    assert not qt.QSettings().contains("Probe/Key")


def test_missing_packages_are_recorded_not_installed(slicer_app):
    import slicer

    slicer_app.installations.absent.add("trimesh")
    assert not slicer.packaging.pip_check("trimesh")
    slicer.packaging.pip_ensure(["trimesh>=4", "numpy"], requester="Probe")
    assert slicer_app.installations.requested == ["trimesh>=4"]
    assert slicer.packaging.pip_check("trimesh")


def test_a_user_may_decline_an_installation(slicer_app):
    import PyTorchUtils
    import slicer

    slicer_app.installations.absent |= {"torch", "trimesh"}
    slicer_app.installations.declined = True
    with pytest.raises(RuntimeError, match="declined"):
        slicer.packaging.pip_ensure("trimesh")
    assert PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True) is None


def test_installing_without_asking_is_a_fault(slicer_app):
    import slicer

    with slicer_app.faults.expected("without asking"):
        slicer.util.pip_install("trimesh")


def test_rendering_that_is_resumed_without_pause_is_a_fault(slicer_app):
    import slicer

    with slicer.util.RenderBlocker():
        pass
    with slicer_app.faults.expected("resumeRender"):
        slicer.app.resumeRender()


def test_status_messages_need_no_more_than_the_main_window(slicer_app):
    import slicer

    slicer.util.showStatusMessage("working", 100)
    assert slicer.util.mainWindow().statusBar().currentMessage() == "working"


def test_versions_and_paths(slicer_app):
    import slicer

    assert (slicer.app.majorVersion, slicer.app.minorVersion) == (5, 12)
    assert slicer.app.applicationVersion.startswith("5.12")
    assert slicer.app.testingEnabled() is False
    assert slicer.app.pythonConsole() is None


def test_texts_pass_translation_unchanged(slicer_app):
    from slicer.i18n import tr, translate

    assert tr("Volume: {value}").format(value=3) == "Volume: 3"
    assert translate("Module", "Start") == "Start"
