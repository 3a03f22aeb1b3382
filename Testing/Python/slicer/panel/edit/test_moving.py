"""What is shown of an edit while a slider moves and while a number is typed."""

from __future__ import annotations

from support.edit_hands import drag, settle


def test_the_state_is_said_to_be_a_preview_until_the_exact_result(fitted):
    assert "own thyroid" in fitted.editNoteLabel.text
    drag(fitted, "Volume", 1.2 * fitted.editVolumeSlider.value)
    assert "Preview" in fitted.editNoteLabel.text
    settle(fitted)
    assert fitted.editNoteLabel.text == "The targets are met."


def test_a_number_is_followed_when_it_has_been_typed(fitted, monkeypatch):
    from PySide6 import QtTest, QtWidgets

    from ThyroidSynthLib.slicer.panel.shared import live_preview

    # Longer than the test takes to type on a busy machine.
    monkeypatch.setattr(live_preview, "_TYPING_MS", 3000, raising=False)
    followed: list[tuple[str, float]] = []
    section = fitted.module.widget.panel.edit
    follow = section._preview._follow
    section._preview._follow = lambda: (followed.append(section._sliders.moved), follow())
    fitted.module.panel.show()
    fitted.module.panel.activateWindow()
    fitted.app.process_events()
    box = fitted.editVolumeSlider.findChild(QtWidgets.QDoubleSpinBox)
    box.setFocus()
    box.selectAll()
    for key in "12.7":
        QtTest.QTest.keyClicks(box, key)
        fitted.app.process_events()
    assert fitted.parameters.edited is not None
    settle(fitted)
    assert {value for _name, value in followed} == {12.7}
