"""The reader study: blinded, stored in the scene, and revealed at the end."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from support.table_hands import Table, make
from ThyroidSynthLib.evaluation.experiments.reader_study import CONTROL, ReaderStudy
from ThyroidSynthLib.slicer.scene.display.study_case import case_in
from ThyroidSynthLib.slicer.scene.thyroids.collection import visible_thyroids


@pytest.fixture
def two(ready):
    """Return the panel with two generated thyroids and the patient's own."""
    ready.exactCheckBox.setChecked(False)
    ready.open("compare")
    ready.module.panel.show()
    make(ready, 1, 2)
    return ready


@pytest.fixture
def started(two):
    two.readerEdit.setText("AB")
    two.studySeedSpinBox.setValue(5)
    two.click("startStudyButton")
    return two


def study_of(hands) -> ReaderStudy:
    return ReaderStudy.from_json(hands.parameters.study)


def finish(hands) -> None:
    for rating in (2, 3, 5):
        hands.click(f"rating{rating}Button")
        if hands.nextCaseButton.enabled:
            hands.click("nextCaseButton")
    hands.click("finishStudyButton")


def test_cases_are_shown_alike_and_without_names_or_features(started):
    assert not started.inspectBody.visible
    assert started.studyRatingPage.visible
    assert started.studyCaseLabel.text == "Case 1 of 3"
    assert visible_thyroids(started.app.scene) == []
    assert not started.parameters.showOwnThyroid
    assert not started.parameters.segmentation.GetDisplayNode().GetSegmentVisibility("thyroid_gland")
    node = case_in(started.app.scene)
    looks = set()
    for number in (1, 2, 3):
        assert node.GetName() == f"Case {number} of 3"
        segment = node.GetSegmentation().GetNthSegment(0)
        looks.add((segment.GetColor(), node.GetSegmentation().GetNumberOfSegments()))
        if number < 3:
            started.click("nextCaseButton")
    assert len(looks) == 1
    texts = [label.text for label in started.studyRatingPage.findChildren(type(started.studyCaseLabel))]
    assert not any(word in text for text in texts for word in ("Generated", "s0000", "mL"))


def test_sections_that_would_unblind_are_hidden_until_the_study_ends(started):
    sections = (started.GenerateSection, started.EditSection, started.ExportSection)
    assert all(section.isHidden() for section in sections)
    finish(started)
    assert not any(section.isHidden() for section in sections)


def test_each_case_is_shown_and_moves_no_camera(started):
    camera = started.app.view("1").camera_node()
    before = camera.GetPosition(), camera.GetFocalPoint()
    first = started.app.view("1").grab().astype(int)
    started.click("nextCaseButton")
    second = started.app.view("1").grab().astype(int)
    assert (np.abs(first - second).max(axis=2) > 20).sum() > 50
    assert (camera.GetPosition(), camera.GetFocalPoint()) == before


def test_the_keyboard_focus_stays_on_the_button(started):
    started.module.panel.activateWindow()
    started.nextCaseButton.setFocus()
    started.click("nextCaseButton")
    assert started.nextCaseButton.focus
    assert started.studyCaseLabel.text == "Case 2 of 3"


def test_the_flip_shortcut_is_disabled_during_a_study(started):
    from PySide6 import QtCore, QtTest

    started.module.panel.activateWindow()
    started.app.process_events()
    QtTest.QTest.keyClick(started.studyComment, QtCore.Qt.Key_F8)
    started.app.process_events()
    assert visible_thyroids(started.app.scene) == []
    assert not started.parameters.segmentation.GetDisplayNode().GetSegmentVisibility("thyroid_gland")


def test_ratings_and_comments_are_stored_and_can_be_changed(started):
    started.click("rating4Button")
    assert started.rating4Button.checked
    assert "1 of 3 rated" in started.studyRatedLabel.text
    started.studyComment.setText("lobes too round")
    started.click("nextCaseButton")
    assert not started.rating4Button.checked
    assert started.studyComment.text == ""
    started.click("previousCaseButton")
    assert started.rating4Button.checked
    assert started.studyComment.text == "lobes too round"
    started.click("rating2Button")
    assert study_of(started).answers[0].rating == 2
    assert study_of(started).answers[0].seconds > 0


def test_the_result_is_shown_at_the_end_and_saved(started, tmp_path):
    finish(started)
    assert started.studyResultPage.visible
    assert started.inspectBody.visible
    assert case_in(started.app.scene) is None
    assert started.parameters.showOwnThyroid
    assert visible_thyroids(started.app.scene) == [started.parameters.result]
    assert started.flipButton.enabled
    assert started.studyTable.rowCount == 3
    kinds = [started.studyTable.item(row, 2).text() for row in range(3)]
    assert kinds.count("the patient's own") == 1
    assert "the patient's own" in started.studyMeansLabel.text
    path = tmp_path / "ratings.csv"
    started.app.dialogs.expect("file", "Save the ratings", answer=str(path))
    started.click("saveStudyButton")
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert [row["rating"] for row in rows] == ["2", "3", "5"]
    assert {row["reader"] for row in rows} == {"AB"}
    assert {row["study_seed"] for row in rows} == {"5"}
    control = next(row for row in rows if row["kind"] == CONTROL)
    assert float(control["volume_ml"]) > 0
    generated = next(row for row in rows if row["kind"] == "generated")
    assert len(generated["model"]) == 64
    assert generated["seed"] in ("1", "2")
    assert float(generated["seconds"]) >= 0


def test_finishing_an_incomplete_study_asks_first(started):
    started.app.dialogs.expect("question", "3 cases are not rated", answer=None)
    started.click("finishStudyButton")
    assert started.studyResultPage.visible


def test_a_new_study_can_follow(started):
    finish(started)
    started.app.dialogs.expect("question", "deleted")
    started.click("newStudyButton")
    assert started.studySetupPage.visible
    started.click("startStudyButton")
    assert study_of(started).rated == 0


def test_the_patients_segmentation_is_not_modified(two):
    contents = two.parameters.segmentation.GetSegmentation()
    before = contents.GetMTime()
    two.click("startStudyButton")
    finish(two)
    assert contents.GetMTime() == before


def test_a_study_can_be_limited_to_the_selected_thyroids(two):
    make(two, 3)
    table = Table(two)
    names = table.texts()
    table.click(names[0])
    table.click(names[2], add=True)
    two.choose("studyScopeSelector", "those selected in the table")
    two.studyControlCheckBox.click()
    two.click("startStudyButton")
    assert sorted(case.name for case in study_of(two).cases) == sorted((names[0], names[2]))


def test_a_study_continues_in_a_reopened_scene(started, tmp_path):
    import slicer

    started.click("rating4Button")
    started.click("nextCaseButton")
    path = started.save_and_close(tmp_path)
    assert started.studySetupPage.visible
    assert case_in(slicer.mrmlScene) is None
    started.open_scene(path)
    started.wait(lambda: case_in(slicer.mrmlScene) is not None)
    assert started.studyCaseLabel.text == "Case 2 of 3"
    assert not started.inspectBody.visible
    assert visible_thyroids(slicer.mrmlScene) == []
    started.click("previousCaseButton")
    assert started.rating4Button.checked
    started.app.dialogs.expect("question", "not rated")
    started.click("finishStudyButton")
    assert len(study_of(started).rows()) == 3


def test_a_case_that_was_removed_is_reported_and_the_study_continues(started):
    import slicer

    numbers = [case.number for case in study_of(started).cases]
    place = next(place for place in (1, 2) if numbers[place] < 2)  # number 2 is the patient's own
    slicer.mrmlScene.RemoveNode(started.parameters.studyNodes[numbers[place]])
    started.app.process_events()
    started.app.dialogs.expect("error", "no longer in the scene")
    for _step in range(place):
        started.click("nextCaseButton")
    assert not case_in(started.app.scene).GetDisplayNode().GetVisibility()
    started.click("previousCaseButton")
    assert case_in(started.app.scene).GetDisplayNode().GetVisibility()
    started.click("rating3Button")


def test_a_study_needs_at_least_two_thyroids(ready):
    ready.open("compare")
    make(ready, 1)
    ready.studyControlCheckBox.click()
    assert not ready.startStudyButton.enabled
    assert "At least two" in ready.studyCountLabel.text


def test_closing_the_scene_ends_the_study(started):
    import slicer

    slicer.mrmlScene.Clear(False)
    started.app.process_events()
    assert started.studySetupPage.visible
    assert started.inspectBody.visible
