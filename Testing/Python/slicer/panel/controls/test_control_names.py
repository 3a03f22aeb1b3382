"""Names for screen readers are made of labels and tooltips, as Slicer's widgets have them."""

from __future__ import annotations

import pytest


@pytest.fixture
def top(slicer_app):
    import qt

    return qt.QWidget()


def named(top, kind, **properties):
    """Return a control below a widget after its controls were named."""
    from ThyroidSynthLib.slicer.panel.controls.control_names import nameControls

    control = kind(top)
    for name, value in properties.items():
        setattr(control, name, value)
    nameControls(top)
    return control.accessibleName


def test_the_rich_text_that_slicer_makes_of_tooltips_is_not_read(top):
    import qt

    # As by `ctkToolTipTrapper`.
    assert named(top, qt.QSpinBox, toolTip="<p>Share of glands &lt; 5 mL</p>") == "Share of glands < 5 mL"
    assert named(top, qt.QSlider, toolTip="Drag it\nto change the thyroid") == "Drag it"


def test_the_label_of_a_compound_widget_names_all_its_parts(top):
    import ctk
    import qt

    label, path = qt.QLabel("&Folder:", top), ctk.ctkPathLineEdit(top)
    path.objectName = "folderEdit"
    label.setBuddy(path)
    # As the button of CTK that opens a file dialog.
    button = qt.QToolButton(path)
    button.text = "..."
    button.toolTip = "<p>Open a dialog</p>"
    assert named(top, qt.QLineEdit, toolTip="Reader") == "Reader"
    assert button.accessibleName == path.comboBox().accessibleName == "Folder"


def test_a_text_is_the_name_of_a_button_and_given_names_stay(top):
    import qt

    assert named(top, qt.QPushButton, text="Export", toolTip="Write files") == ""
    assert named(top, qt.QToolButton, toolTip="Colour", accessibleName="Colour of the thyroid").endswith("thyroid")
