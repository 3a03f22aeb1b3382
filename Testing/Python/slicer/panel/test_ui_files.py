"""The .ui files fit the parameter node and the user."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).resolve().parents[4] / "ThyroidSynth" / "Resources" / "UI").glob("*.ui"))
INTERACTIVE = {
    "QPushButton",
    "QComboBox",
    "QCheckBox",
    "QSpinBox",
    "ctkSliderWidget",
    "ctkPathLineEdit",
    "qMRMLNodeComboBox",
    "ctkCollapsibleButton",
    "QProgressBar",
}


def names_of_parameters(root):
    return {each.findtext("string") for each in root.iter("property") if each.get("name") == "SlicerParameterName"}


def test_every_parameter_name_exists(slicer_app):
    from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode

    used = set().union(*(names_of_parameters(ElementTree.parse(path).getroot()) for path in FILES))
    known = set(ThyroidSynthParameterNode.allParameters)
    assert used <= known
    # Chosen by the sections themselves: Slicer has no connector for segments and structures, and an edit is
    # begun by a button.
    segments = {"thyroidSegmentID", "tracheaSegmentID", "mergeOld"}
    assert known - used == segments | {"study", "studyHidOwn", "studyNodes", "edited"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_widget_a_user_touches_has_a_tooltip(path):
    for widget in ElementTree.parse(path).getroot().iter("widget"):
        if widget.get("class") in INTERACTIVE:
            tips = [each for each in widget.findall("property") if each.get("name") == "toolTip"]
            assert tips, f"{widget.get('name')} has no tooltip"


def test_widget_names_are_unique_over_all_files():
    names = [widget.get("name") for path in FILES for widget in ElementTree.parse(path).getroot().iter("widget")]
    assert len(names) == len(set(names))


def test_the_panel_fits_into_450_pixels(hands):
    panel = hands.module.widget.panel.widget
    assert panel.minimumSizeHint.width() <= 450
