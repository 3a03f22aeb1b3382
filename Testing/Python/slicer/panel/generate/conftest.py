"""The panel with a generated thyroid, for the tests of the section "Generate"."""

from __future__ import annotations

import pytest


@pytest.fixture
def made(ready):
    """The panel with a thyroid of a fixed seed, after the patient and the overlap were measured."""
    ready.seedSpinBox.setValue(3)
    ready.click("generateButton")
    ready.wait(lambda: "the trachea" in ready.overlapLabel.text)
    ready.measured()
    return ready
