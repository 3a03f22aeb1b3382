"""Cohorts like the training cohort or by distributions of one's own: what the panel asks the process for."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ThyroidSynthLib.export.cohort.cohort_run import CohortRun
from ThyroidSynthLib.generation.cohort.target_distribution import TargetDistribution


@pytest.fixture
def cohort(ready, tmp_path, monkeypatch):
    """The cohort's part opened; what would be started is noted in `started`."""
    ready.exportCollapsible.collapsed = False
    ready.cohortCollapsible.collapsed = False
    ready.cohortFolderEdit.setCurrentPath(str(tmp_path / "cohort"))
    ready.cohortAtPatientCheckBox.click()
    ready.started = []
    monkeypatch.setattr(
        CohortRun, "start", lambda run, python, arguments, *, total: ready.started.append(list(arguments))
    )
    ready.app.process_events()
    return ready


def option(arguments: list[str], name: str) -> str | None:
    return arguments[arguments.index(name) + 1] if name in arguments else None


def test_like_the_training_cohort_is_met_when_wishes_are_met_exactly_and_drawn_otherwise(cohort):
    cohort.click("startCohortButton")
    cohort.exactCheckBox.click()
    cohort.click("startCohortButton")

    met, drawn = cohort.started
    assert option(met, "--distribution") == "cohort"
    assert "--distribution" not in drawn and option(drawn, "--count") == "20"
    assert cohort.cohortMarginalsWidget.isHidden()


def test_distributions_of_ones_own_begin_at_the_cohort_and_reach_the_process(cohort):
    cohort.choose("cohortTargetsSelector", "Distributions of your own")
    assert not cohort.cohortMarginalsWidget.isHidden()
    assert cohort.cohortVolumeFirstSpinBox.isHidden() and cohort.cohortVolumeSecondSpinBox.isHidden()
    cohort.choose("cohortVolumeSpreadSelector", "log-normal")
    features = cohort.module.widget.panel.export._cohort._description.features
    assert cohort.cohortVolumeFirstSpinBox.value == pytest.approx(np.median(features[:, 0]), abs=0.1)
    assert cohort.cohortVolumeFirstSpinBox.prefix == "median "
    cohort.cohortVolumeFirstSpinBox.setValue(14.9)
    cohort.cohortVolumeSecondSpinBox.setValue(0.35)
    cohort.choose("cohortSymmetrySpreadSelector", "one value")
    cohort.cohortSymmetryFirstSpinBox.setValue(0.6)
    assert cohort.cohortSymmetrySecondSpinBox.isHidden()
    assert not cohort.cohortWithoutSpinBox.enabled
    cohort.cohortSetWithoutCheckBox.click()
    assert "Without isthmus: 30 %" in cohort.cohortPlanLabel.text
    assert "symmetry 0.60." in cohort.cohortPlanLabel.text

    cohort.click("startCohortButton")

    (arguments,) = cohort.started
    texts = {name: option(arguments, f"--{name}-distribution") for name in ("volume", "isthmus-area", "symmetry")}
    targets = TargetDistribution.of_texts({"volume_ml": texts["volume"], "symmetry": texts["symmetry"]})
    assert targets.volume_ml.kind == "lognormal" and targets.volume_ml.parameters == pytest.approx(
        (2.7, 0.35), abs=2e-3
    )
    assert (texts["isthmus-area"], texts["symmetry"]) == ("cohort", "0.6")
    assert option(arguments, "--without-isthmus") == "30%"


def test_numbers_that_make_no_distribution_are_told_before_the_start(cohort):
    cohort.choose("cohortTargetsSelector", "Distributions of your own")
    cohort.choose("cohortVolumeSpreadSelector", "uniform")
    cohort.cohortVolumeFirstSpinBox.setValue(30.0)
    cohort.cohortVolumeSecondSpinBox.setValue(20.0)
    assert "is empty" in cohort.cohortPlanLabel.text
    cohort.app.dialogs.expect("error", "is empty")
    cohort.click("startCohortButton")
    assert not cohort.started


def test_what_is_far_outside_the_cohort_is_told_before_the_start(cohort):
    cohort.choose("cohortTargetsSelector", "Distributions of your own")
    assert "far outside" not in cohort.cohortPlanLabel.text
    cohort.choose("cohortVolumeSpreadSelector", "one value")
    cohort.cohortVolumeFirstSpinBox.setValue(900.0)
    assert "100 % are far outside anything the model knows" in cohort.cohortPlanLabel.text
    assert "such as 900.0 mL" in cohort.cohortPlanLabel.text


def test_a_cohort_of_asked_distributions_is_made_and_says_how_near_it_is(cohort, tmp_path, monkeypatch):
    monkeypatch.undo()
    cohort.exportLabelsCheckBox.click()
    cohort.choose("cohortTargetsSelector", "Distributions of your own")
    cohort.cohortSetWithoutCheckBox.click()
    cohort.cohortWithoutSpinBox.setValue(50.0)
    cohort.cohortCountSpinBox.setValue(2)
    cohort.click("startCohortButton")
    cohort.wait(lambda: "Finished" in cohort.cohortStateLabel.text, 90)
    assert "Without isthmus" in cohort.cohortStateLabel.text
    manifest = json.loads((tmp_path / "cohort" / "manifest.json").read_text())
    assert manifest["distribution"]["without_isthmus"]["targets"] == 0.5
    CohortRun(tmp_path / "cohort").kill()


@pytest.mark.parametrize("dark", [False, True])
def test_the_choices_are_pictured(cohort, picture_folder, dark):
    from contextlib import nullcontext

    from standin import inspection, pictures

    cohort.choose("cohortTargetsSelector", "Distributions of your own")
    cohort.choose("cohortVolumeSpreadSelector", "log-normal")
    cohort.choose("cohortIsthmusAreaSpreadSelector", "uniform")
    cohort.choose("cohortSymmetrySpreadSelector", "normal")
    section = cohort.module.widget.panel.export.widget
    section.setParent(None)
    with inspection.dark_theme() if dark else nullcontext():
        pictures.of_widget(section, width=450)
        picture = pictures.of_widget(section, width=450)
        path = pictures.save(picture, picture_folder / f"section_cohort_{'dark' if dark else 'light'}.png")
    assert path.stat().st_size > 5_000
    assert section.minimumSizeHint.width() <= 450
