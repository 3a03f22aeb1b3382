"""The reader study: by keys alone, blinded, saved after each key and resumed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from support.panel_hands import in_theme
from support.study_hands import Reader
from ThyroidSynthLib.evaluation.reader_study import RatingSession, StudyPlan, summarise
from ThyroidSynthLib.slicer.scene.display.study_case import shown_shape
from ThyroidSynthLib.slicer.scene.thyroids.collection import visible_thyroids


def visible_displays(scene) -> list[str]:
    """Return the names of all displayed nodes of segmentations and models, without those of the slice views."""
    found = []
    for name in ("vtkMRMLSegmentationDisplayNode", "vtkMRMLModelDisplayNode"):
        nodes = scene.GetNodesByClass(name)
        nodes.UnRegister(None)
        displays = [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
        found += [each.GetDisplayableNode().GetName() for each in displays if each.GetVisibility()]
    return found


def test_a_whole_study_is_read_by_keys_alone_and_each_rating_is_saved_at_once(reader, ready):
    reader.start()
    plan = reader.plan
    order = plan.order_for("ab")
    assert sorted(shape.kind for shape in plan.shapes) == ["real"] * 5 + ["synthetic"] * 2
    assert len(order) == len(plan.shapes) + len(plan.repeated) > len(plan.shapes)
    for count, showing in enumerate(order, start=1):
        assert reader.text == f"Shape {count} of {len(order)}"
        assert reader.shown() == pytest.approx(plan.surface(showing.shape).volume, rel=1e-6)
        key = "5" if plan.shape(showing.shape).kind == "real" else "2"
        reader.press(key)
        assert reader.rated[-1] == key and len(reader.rated) == count
    assert not ready.studyRatingPage.visible
    assert "AB has rated all of them" in ready.studyStateLabel.text
    reader.start()  # The last one can still be changed.
    assert reader.text == f"Shape {len(order)} of {len(order)}"
    reader.press(key)
    assert not ready.studyRatingPage.visible
    document = summarise(reader.folder).document
    assert document["readers"][0]["auc"] == 1.0
    assert document["readers"][0]["repeats"]["mean_absolute_difference"] == 0.0


def test_the_keys_work_while_a_view_has_the_focus_but_not_in_text_fields(reader, ready):
    import qt

    reader.start()
    view = qt.QWidget()
    view.setFocusPolicy(qt.Qt.StrongFocus)
    console = qt.QLineEdit(view)
    view.show()
    view.setFocus()
    reader.press("4", widget=view)
    assert reader.rated == ["4"]
    console.setFocus()
    reader.press("4", widget=console)
    assert console.text == "4" and reader.rated == ["4"]
    reader.press("Escape", widget=view)
    assert not ready.studyRatingPage.visible
    view.setFocus()
    reader.press("4", widget=view)
    assert reader.rated == ["4"]
    view.delete()


def test_backspace_goes_back_and_the_rating_can_be_changed(reader, ready):
    reader.start()
    assert not ready.studyBackButton.enabled
    first = reader.shown()
    reader.press("2")
    reader.press("4")
    reader.press("Backspace")
    reader.press("Backspace")
    assert reader.shown() == first
    assert (reader.text.split()[1], ready.studyRatedLabel.text) == ("1", "rated 2 before")
    reader.press("5")
    assert reader.text.split()[1] == "3"
    assert reader.rated == ["2", "4", "5"]
    session = RatingSession(plan_after_pause(reader), "AB")
    assert [each.rating for each in session.ratings.values()] == [5, 4]
    session.close()


def plan_after_pause(reader: Reader) -> StudyPlan:
    reader.press("Escape")
    return reader.plan


def test_escape_pauses_and_shows_everything_as_it_was_before(reader, ready):
    import slicer

    ready.parameters.showOwnThyroid = True
    camera = ready.app.view("1").camera_node()
    composite = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    slice_node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSliceNode")

    def look():
        matrix = slicer.util.arrayFromVTKMatrix(slice_node.GetSliceToRAS())
        return (
            sorted(visible_displays(ready.app.scene)),
            composite.GetBackgroundVolumeID(),
            camera.GetPosition(),
            camera.GetFocalPoint(),
            matrix.ravel().tolist(),
            slice_node.GetFieldOfView(),
            slice_node.GetSliceVisible(),
        )

    slice_node.SetSliceVisible(True)
    ready.app.process_events()
    before = look()
    assert before[1] and before[0]
    reader.start()
    assert visible_displays(ready.app.scene) == [shown_shape(ready.app.scene).GetName()]
    assert composite.GetBackgroundVolumeID() is None
    reader.press("1")
    reader.press("Escape")
    assert look() == before
    assert shown_shape(ready.app.scene) is None
    assert ready.studySetupPage.visible and ready.startStudyButton.text == "Continue"
    assert "AB has rated 1 of" in ready.studyStateLabel.text
    reader.start()
    assert reader.text.startswith("Shape 2 of")


def test_nothing_reveals_which_shape_is_shown(reader, ready):
    reader.start()
    camera = ready.app.view("1").camera_node()
    seen = set()
    for _ in range(5):
        node = shown_shape(ready.app.scene)
        segment = node.GetSegmentation().GetNthSegment(0)
        position, focus = np.array(camera.GetPosition()), np.array(camera.GetFocalPoint())
        distance = round(float(np.linalg.norm(position - focus)), 3)
        seen.add((node.GetName(), segment.GetName(), segment.GetColor(), distance, tuple(camera.GetViewUp())))
        texts = [label.text for label in ready.studyRatingPage.findChildren(type(ready.studyShapeLabel))]
        assert not any(word in text for text in texts for word in ("Generated", "s0000", "tiny", "mL"))
        camera.SetPosition(10.0, 20.0, 30.0)
        reader.press("3")
    assert len(seen) == 1
    assert node.GetHideFromEditors() and not node.GetSaveWithScene()
    assert visible_displays(ready.app.scene) == [node.GetName()]


def test_what_would_unblind_the_reader_is_locked_until_the_study_is_paused(reader, ready):
    tabs = ready.module.widget.panel.tabs.widget
    reader.start()
    assert not ready.inspectBody.visible
    assert sum(tabs.isTabEnabled(index) for index in range(tabs.count)) == 1
    reader.press("Escape")
    assert ready.inspectBody.isVisibleTo(ready.module.panel)
    assert all(tabs.isTabEnabled(index) for index in range(tabs.count))


def test_a_thyroid_that_is_shown_during_a_study_is_hidden_with_the_next_shape(reader, ready):
    reader.start()
    ready.parameters.result.GetDisplayNode().SetVisibility(True)
    reader.press("3")
    assert visible_thyroids(ready.app.scene) == []


def test_a_study_resumes_after_the_scene_was_closed(reader, ready, real_shapes):
    import slicer

    reader.start()
    reader.press("4")
    reader.press("1")
    slicer.mrmlScene.Clear(False)
    ready.app.process_events()
    assert shown_shape(slicer.mrmlScene) is None
    assert not ready.module.widget.panel.inspect.study.running
    again = Reader(ready, reader.folder)
    assert "AB has rated 2 of" in ready.studyStateLabel.text
    assert not ready.newStudyGroup.visible
    again.start()
    assert again.text.startswith("Shape 3 of")
    order = again.plan.order_for("ab")
    assert again.shown() == pytest.approx(again.plan.surface(order[2].shape).volume, rel=1e-6)


def test_a_second_reader_sees_the_shapes_in_another_order(reader, ready):
    reader.start()
    reader.press("4")
    reader.press("Escape")
    ready.readerEdit.setText("CD")
    ready.app.process_events()
    assert "CD has rated 0 of" in ready.studyStateLabel.text
    assert ready.startStudyButton.text == "Start"
    reader.start()
    plan = reader.plan
    assert plan.order_for("cd") != plan.order_for("ab")
    first = plan.order_for("cd")[0].shape
    assert reader.shown() == pytest.approx(plan.surface(first).volume, rel=1e-6)
    reader.press("2")
    assert {path.name for path in reader.folder.glob("ratings-*.csv")} == {"ratings-ab.csv", "ratings-cd.csv"}


def test_a_scene_saved_during_a_study_shows_everything_and_nothing_of_the_study(reader, ready, tmp_path):
    import slicer

    before = sorted(visible_displays(ready.app.scene))
    reader.start()
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    ready.wait(lambda: visible_displays(ready.app.scene) == [shown_shape(ready.app.scene).GetName()])
    assert ready.studyRatingPage.visible
    ready.module.close()
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(str(path))
    assert shown_shape(slicer.mrmlScene) is None
    assert sorted(visible_displays(slicer.mrmlScene)) == before


def test_leaving_the_module_pauses_the_study(reader, ready):
    before = sorted(visible_displays(ready.app.scene))
    reader.start()
    ready.module.leave()
    ready.app.process_events()
    assert sorted(visible_displays(ready.app.scene)) == before
    assert not reader.hands.readerEdit.visible
    ready.module.select()
    Reader(ready, reader.folder).start()
    assert reader.text.startswith("Shape 1 of")


def test_the_summary_is_shown_and_written_to_the_folder(reader, ready):
    assert not ready.studySummaryButton.enabled
    reader.start()
    for _ in range(3):
        reader.press("3")
    reader.press("Escape")
    ready.click("studySummaryButton")
    assert ready.studySummaryPage.visible
    assert "AB: 3 of" in ready.studySummaryText.plainText
    written = json.loads((reader.folder / "summary" / "summary.json").read_text())
    assert written["readers"][0]["rated"] == 3
    ready.click("closeSummaryButton")
    assert ready.studySetupPage.visible
    reader.start()
    reader.press("3")
    reader.press("Escape")
    ready.click("studySummaryButton")
    assert json.loads((reader.folder / "summary" / "summary.json").read_text())["readers"][0]["rated"] == 4


def test_a_rating_that_cannot_be_saved_is_reported_and_the_shape_stays(reader, ready, monkeypatch):
    reader.start()
    reader.press("4")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ThyroidSynthLib.evaluation.reader_study.ratings.os.fsync", full)
    ready.app.dialogs.expect("error", "the disk is full")
    reader.press("2")
    assert reader.text.startswith("Shape 2 of") and reader.rated == ["4"]


def test_a_shape_that_was_changed_pauses_the_study(reader, ready):
    reader.start()
    second = reader.plan.order_for("ab")[1].shape
    (reader.folder / "shapes" / f"{second:03d}.ply").unlink()
    ready.app.dialogs.expect("error", "is missing or was changed")
    reader.press("4")
    assert ready.studySetupPage.visible and reader.rated == ["4"]


def test_the_patients_segmentation_is_not_modified(reader, ready):
    contents = ready.parameters.segmentation.GetSegmentation()
    before = contents.GetMTime()
    reader.start()
    reader.press("3")
    reader.press("Escape")
    assert contents.GetMTime() == before


def test_the_window_fits_a_small_screen(reader, ready):
    window = ready.readerEdit.window()
    assert window.minimumSizeHint.width() <= 380
    reader.start()
    assert window.minimumSizeHint.width() <= 380


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_window_and_the_views_are_drawn_in_both_themes(reader, ready, picture_folder, theme):
    from standin import pictures

    with in_theme(theme == "dark"):
        window = ready.readerEdit.window()
        setup = pictures.of_widget(window, 400)
        ready.choose("studyShownSelector", "over the CT without the patient's thyroid")
        reader.start()
        rating = pictures.of_widget(window, 400)
        pictures.save(ready.app.four_views(reader.text), picture_folder / f"study_views_{theme}.png")
        reader.press("4")
        reader.press("Escape")
        ready.click("studySummaryButton")
        summary = pictures.of_widget(window, 400)
    for name, picture in {"setup": setup, "rating": rating, "summary": summary}.items():
        pictures.save(picture, picture_folder / f"study_{name}_{theme}.png")
        assert np.ptp(picture) > 100
