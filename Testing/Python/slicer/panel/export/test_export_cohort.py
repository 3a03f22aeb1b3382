"""Targets of a generated cohort: the arguments that the panel passes to the process."""

from __future__ import annotations

import json

import numpy as np
import pytest

from support.panel_hands import save_section
from ThyroidSynthLib.export.cohort.cohort_run import CohortRun
from ThyroidSynthLib.generation.cohort.target_distribution import TargetDistribution
from ThyroidSynthLib.model.description import describe_model


@pytest.fixture
def cohort(ready, tmp_path, monkeypatch):
    """Return the panel with the cohort's widgets opened; `started` records the arguments instead of a process."""
    ready.open("export")
    ready.open("cohort")
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


def test_a_cohort_like_the_training_cohort_is_steered_only_if_targets_are_matched_exactly(cohort):
    cohort.click("startCohortButton")
    cohort.exactCheckBox.click()
    cohort.click("startCohortButton")

    steered, direct = cohort.started
    assert option(steered, "--distribution") == "cohort"
    assert "--distribution" not in direct and option(direct, "--count") == "20"
    assert cohort.cohortDistributionsWidget.isHidden()


def test_custom_distributions_start_from_the_training_cohort_and_are_passed_to_the_process(cohort):
    cohort.choose("cohortTargetsSelector", "Custom distributions")
    assert not cohort.cohortDistributionsWidget.isHidden()
    assert cohort.cohortVolumeFirstSpinBox.isHidden() and cohort.cohortVolumeSecondSpinBox.isHidden()
    cohort.choose("cohortVolumeSpreadSelector", "log-normal")
    features = describe_model(cohort.parameters.model).features
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


def test_ranges_are_shown_with_the_decimals_of_the_feature_and_log_sds_with_two(cohort):
    from ThyroidSynthLib.slicer.panel.shared.choices import Spread

    cohort.choose("cohortTargetsSelector", "Custom distributions")
    box = cohort.cohortIsthmusAreaSecondSpinBox
    areas = describe_model(cohort.parameters.model).features[:, 1]
    cohort.choose("cohortIsthmusAreaSpreadSelector", "uniform")
    assert box.text == f"to {np.percentile(areas[areas > 0], 95):.0f}"
    assert cohort.parameters.cohortIsthmusAreaSecond == box.value
    cohort.choose("cohortIsthmusAreaSpreadSelector", "log-normal")
    assert box.text == f"log SD {np.log(areas[areas > 0]).std():.2f}"
    # A number that was stored before its distribution is shown is not rounded.
    cohort.choose("cohortIsthmusAreaSpreadSelector", "uniform")
    cohort.parameters.cohortIsthmusAreaSpread = Spread.LOGNORMAL
    cohort.parameters.cohortIsthmusAreaSecond = 0.35
    cohort.app.process_events()
    assert box.text == "log SD 0.35"
    assert cohort.parameters.cohortIsthmusAreaSecond == 0.35


def test_an_impossible_distribution_is_reported_and_starts_no_process(cohort):
    cohort.choose("cohortTargetsSelector", "Custom distributions")
    cohort.choose("cohortVolumeSpreadSelector", "uniform")
    cohort.cohortVolumeFirstSpinBox.setValue(30.0)
    cohort.cohortVolumeSecondSpinBox.setValue(20.0)
    assert "is empty" in cohort.cohortPlanLabel.text
    cohort.app.dialogs.expect("error", "is empty")
    cohort.click("startCohortButton")
    assert not cohort.started


def test_targets_far_outside_the_training_cohort_are_reported_before_the_start(cohort):
    cohort.choose("cohortTargetsSelector", "Custom distributions")
    assert "far outside" not in cohort.cohortPlanLabel.text
    cohort.choose("cohortVolumeSpreadSelector", "one value")
    cohort.cohortVolumeFirstSpinBox.setValue(900.0)
    assert "100 % are far outside the training cohort" in cohort.cohortPlanLabel.text
    assert "such as 900.0 mL" in cohort.cohortPlanLabel.text


def test_a_cohort_with_custom_distributions_reports_how_closely_it_matches_them(cohort, tmp_path, monkeypatch):
    monkeypatch.undo()
    cohort.exportLabelsCheckBox.click()
    cohort.choose("cohortTargetsSelector", "Custom distributions")
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
def test_the_distribution_widgets_fit_450_pixels_in_both_themes(cohort, picture_folder, dark):
    cohort.choose("cohortTargetsSelector", "Custom distributions")
    cohort.choose("cohortVolumeSpreadSelector", "log-normal")
    cohort.choose("cohortIsthmusAreaSpreadSelector", "uniform")
    cohort.choose("cohortSymmetrySpreadSelector", "normal")
    section = cohort.module.widget.panel.export.widget
    path = save_section(section, picture_folder / f"section_cohort_{'dark' if dark else 'light'}.png", dark=dark)
    assert path.stat().st_size > 5_000
    assert section.minimumSizeHint.width() <= 450
