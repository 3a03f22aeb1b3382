"""The .ui files match the parameter node."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

FILES = sorted((Path(__file__).resolve().parents[4] / "ThyroidSynth" / "Resources" / "UI").glob("*.ui"))


def names_of_parameters(root):
    return {each.findtext("string") for each in root.iter("property") if each.get("name") == "SlicerParameterName"}


def test_every_parameter_name_exists(slicer_app):
    from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode

    used = set().union(*(names_of_parameters(ElementTree.parse(path).getroot()) for path in FILES))
    known = set(ThyroidSynthParameterNode.allParameters)
    assert used <= known
    # Set by the sections: Slicer has no connector for segments and structures, and an edit starts by a button.
    segments = {"thyroidSegmentID", "tracheaSegmentID", "mergeOld"}
    assert known - used == segments | {"edited"}


def test_widget_names_are_unique_over_all_files():
    names = [widget.get("name") for path in FILES for widget in ElementTree.parse(path).getroot().iter("widget")]
    assert len(names) == len(set(names))


def wraps(widget) -> bool:
    return any(each.get("name") == "wordWrap" and each.findtext("bool") == "true" for each in widget)


def test_no_form_has_both_layouts_and_texts_that_wrap():
    """A form layout of Qt 5 then takes too little height and squashes the layouts within it."""
    wrong = []
    for path in FILES:
        for layout in ElementTree.parse(path).getroot().iter("layout"):
            nested = [each for each in layout.findall("item") if each.find("layout") is not None]
            if layout.get("class") == "QFormLayout" and nested:
                wrong += [each.get("name") for each in layout.iter("widget") if wraps(each)]
    assert wrong == []
