"""What is wrong with the choice of the patient is said in plain words, and buttons that cannot run say why."""

from __future__ import annotations

import numpy as np
import pytest

GLAND = "thyroid_gland"
ON_THYROIDS = ("segmentEditorButton", "show3DButton", "moveButton", "backButton", "removeOverlapButton")
OF_EDITS = ("resetButton", "keepButton", "editSegmentEditorButton", "editShow3DButton")


def reason(hands, *names: str) -> str:
    """Return the tooltip of buttons that are disabled for the same reason."""
    (text,) = {getattr(hands, name).toolTip for name in names}
    assert not any(getattr(hands, name).enabled for name in names)
    return text


def test_without_a_patient_every_button_says_what_is_missing(hands, model_file):
    hands.choose_model(model_file)
    text = reason(hands, "generateButton", "randomButton", "similarButton", "fitButton")
    assert text == hands.generatedLabel.text == hands.fitLabel.text
    assert "no patient" in text
    assert "no thyroid yet" in reason(hands, *ON_THYROIDS)
    assert "Fit the patient's thyroid first" in reason(hands, *OF_EDITS[:2])
    assert "no thyroid yet" in reason(hands, *OF_EDITS[2:])


def test_every_disabled_button_of_a_new_panel_says_why(hands):
    import qt

    buttons = [each for each in hands.module.panel.findChildren(qt.QWidget) if each.inherits("QAbstractButton")]
    silent = [
        each.objectName
        for each in buttons
        if not each.enabled and each.objectName.endswith("Button") and each.property("toolTipWhenReady") is None
    ]
    # The first is hidden; the others have their reasons as tooltips from the start.
    assert set(silent) == {"cancelButton", "checkCasesButton", "startButton"}
    assert "Choose a cohort" in reason(hands, "checkCasesButton", "startButton")


def test_overlap_is_not_removed_without_a_patient_even_by_a_script(hands, model_file):
    hands.choose_model(model_file)
    hands.app.dialogs.expect("error", "no thyroid or no trachea")
    hands.module.widget.panel.generate._placing._onRemoveOverlap()
    assert hands.statusLabel.text == "Removing the overlap failed."


def test_a_button_has_its_own_tooltip_again_when_it_can_run(ready):
    ready.measured()
    assert ready.generateButton.enabled
    assert "no patient" not in ready.generateButton.toolTip
    assert ready.generateButton.toolTip
    ready.click("generateButton")
    assert ready.moveButton.enabled
    assert "no thyroid" not in ready.moveButton.toolTip


def test_one_segment_for_both_structures_is_reported(ready):
    ready.measured()
    ready.choose("tracheaSelector", "thyroid gland")
    ready.app.process_events()
    text = reason(ready, "generateButton", "fitButton")
    assert "same segment is chosen as thyroid and as trachea" in text
    assert "same segment" in ready.qualityLabel.text
    assert "measuring" not in ready.ownFeaturesLabel.text
    ready.choose("tracheaSelector", "trachea")
    ready.measured()
    assert ready.generateButton.enabled
    assert ready.qualityLabel.text == ""


@pytest.mark.parametrize(
    ("selector", "buttons", "missing"),
    [
        ("tracheaSelector", ("generateButton", "similarButton", "fitButton"), "No trachea is chosen"),
        ("thyroidSelector", ("similarButton", "fitButton"), "No thyroid is chosen"),
    ],
)
def test_none_is_said_to_be_missing(ready, selector, buttons, missing):
    ready.measured()
    ready.choose(selector, "none")
    ready.app.process_events()
    assert missing in reason(ready, *buttons)
    assert ready.generateButton.enabled == (selector == "thyroidSelector")


def test_the_ct_of_another_patient_is_reported_where_it_is_chosen(ready):
    import slicer

    ready.measured()
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Chest of somebody else")
    slicer.util.updateVolumeFromArray(other, np.zeros((20, 20, 20), dtype=np.int16))
    own = ready.parameters.ct
    ready.ctSelector.setCurrentNode(other)
    ready.app.process_events()
    ready.measured()
    ready.app.process_events()
    text = reason(ready, "generateButton", "fitButton")
    assert "not inside the CT 'Chest of somebody else'" in text
    assert text in ready.qualityLabel.text
    assert "cut by" not in ready.qualityLabel.text
    assert "mL" in ready.ownFeaturesLabel.text
    ready.ctSelector.setCurrentNode(own)
    ready.app.process_events()
    ready.measured()
    ready.app.process_events()
    assert ready.generateButton.enabled
    ready.ctSelector.setCurrentNode(None)
    ready.app.process_events()
    ready.measured()
    ready.app.process_events()
    assert ready.generateButton.enabled


def test_a_message_goes_after_a_while_and_with_the_next_action(ready, monkeypatch):
    status = ready.module.widget.panel.bar.status
    ready.click("generateButton")
    assert ready.statusLabel.text
    status._fading.setInterval(50)
    status.show(None, "Done.")
    ready.wait(lambda: ready.statusLabel.text == "")
    # Not while an operation runs.
    with ready.module.widget.panel.session.work("Working") as work:
        for _ in range(20):
            work.progress(0.5, "Still working")
        import time

        time.sleep(0.1)
        ready.app.process_events()
        assert ready.statusLabel.text == "Still working"
