"""The panel does nothing that only PySide6 can do."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.rules import pythonqt_traps as rules

MODULE = Path(__file__).resolve().parents[3] / "ThyroidSynth"
PYTHON = [MODULE / "ThyroidSynth.py", *sorted((MODULE / "ThyroidSynthLib" / "slicer" / "panel").rglob("*.py"))]
RULES = [rules.instance_checks_of_qt_classes, rules.images_of_raw_bytes]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.name)
def test_the_panel_does_nothing_that_pythonqt_cannot(path: Path, rule) -> None:
    assert rule(path.read_text()) == []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (rules.instance_checks_of_qt_classes, "isinstance(widget, qt.QWidget)"),
        (rules.instance_checks_of_qt_classes, "isinstance(widget, (str, ctk.ctkSliderWidget))"),
        (rules.instance_checks_of_qt_classes, "issubclass(kind, slicer.qMRMLWidget)"),
        (rules.images_of_raw_bytes, "qt.QImage(data, 2, 2, 8, qt.QImage.Format_RGB32)"),
    ],
)
def test_a_planted_violation_is_found(rule, source: str) -> None:
    assert rule(source)


@pytest.mark.parametrize(
    "source",
    ["isinstance(value, str)", "isinstance(node, slicer.vtkMRMLNode)", "qt.QImage(2, 2, qt.QImage.Format_RGB32)"],
)
def test_what_is_allowed_is_not_called_a_violation(source: str) -> None:
    assert [each for rule in RULES for each in rule(source)] == []
