"""No button fails in a new panel, or in a Slicer without the optional packages."""

from __future__ import annotations

import itertools
import sys
from importlib.abc import MetaPathFinder

import pytest

from support.panel_hands import PROJECT, Hands
from support.tiny_cohort import write_tiny_cohort

# Packages that Slicer does not include, by their names for import.
OPTIONAL = {"torch", "skimage", "safetensors", "trimesh", "matplotlib", "tqdm", "jinja2"}
NEEDS_PYTORCH = {"startButton"}


def press_every_button(hands, *, skip: tuple[str, ...] = ()) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Click each enabled button once; return the packages the user declined and the faults except dialogs, by name."""
    import qt

    from standin import inspection

    refused, faults = {}, {}
    bar = hands.module.widget.panel.bar.widget
    # The windows are visited themselves; a dialog of Qt's for a colour waits for the user.
    skip = (*skip, "modelLibraryButton", "cohortButton", "phantomButton", "currentColourButton")
    for top in itertools.chain((page for _name, page in hands.pages()), [bar]):
        for button in inspection.widgets_in(top):
            name = inspection.name_of(button)
            kind = isinstance(button, (qt.QPushButton, qt.QToolButton, qt.QCheckBox))
            if kind and name not in {*skip, *refused} and button.enabled and inspection.in_sight(button, top):
                hands.app.installations.refused.clear()
                button.click()
                hands.app.process_events()
                refused[name] = list(hands.app.installations.refused)
                seen = [str(fault) for fault in hands.app.faults.take() if fault.source != "dialog"]
                faults |= {name: seen} if seen else {}
    return refused, faults


def test_no_button_of_a_fresh_panel_fails(hands):
    assert not hands.removeOverlapButton.enabled
    # The sample case would give the panel a patient.
    clicked, faults = press_every_button(hands, skip=("sampleDataButton",))
    assert len(clicked) > 20
    assert faults == {}


class Blocked(MetaPathFinder):
    """Hides the optional packages, as in a newly installed Slicer."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] in OPTIONAL:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


@pytest.fixture
def bare(ready, tmp_path, monkeypatch):
    """A scene with a generated thyroid and an edit, loaded in a Slicer without the optional packages."""
    import slicer

    app = ready.app
    ready.click("generateButton")
    ready.click("fitButton")
    ready.editVolumeSlider.value = 1.1 * ready.editVolumeSlider.value
    ready.wait(lambda: ready.resetButton.enabled)
    ready.parameters.job = tmp_path / "job"
    ready.exportFolderEdit.setCurrentPath(str(tmp_path / "export"))
    ready.cohortFolderEdit.setCurrentPath(str(tmp_path / "cohort"))
    write_tiny_cohort(tmp_path / "training")
    ready.trainingDataPathEdit.setCurrentPath(str(tmp_path / "training"))
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    ready.module.close()

    # The library is imported again, because what was imported before refers to the packages.
    kept = dict(sys.modules)
    for name in kept:
        if name.partition(".")[0] in {"ThyroidSynthLib", *OPTIONAL}:
            del sys.modules[name]
    monkeypatch.setattr(sys, "meta_path", [Blocked(), *sys.meta_path])
    app.installations.absent.add("torch")
    app.installations.declined = True
    module = app.load_module(PROJECT / "ThyroidSynth" / "ThyroidSynth.py")
    module.select()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    app.process_events()
    yield Hands(app, module)
    module.close()
    for name in set(sys.modules) - set(kept):
        if name.partition(".")[0] == "ThyroidSynthLib":
            del sys.modules[name]
    sys.modules.update(kept)


def test_only_a_training_needs_an_installation(bare):
    with pytest.raises(ModuleNotFoundError):
        import torch  # noqa: F401
    bare.wait(lambda: "mL" in bare.ownFeaturesLabel.text)
    bare.wait(lambda: "measuring" not in bare.overlapLabel.text)
    # Another patient would end the edit, a cohort or a reader study would occupy the panel.
    skip = ("loadButton", "sampleDataButton", "startCohortButton", "startPhantomButton", "startStudyButton")
    # The Segment Editor is another module.
    skip += ("segmentEditorButton", "editSegmentEditorButton")
    refused, faults = press_every_button(bare, skip=skip)
    assert faults == {}
    assert {name for name, packages in refused.items() if packages} == NEEDS_PYTORCH


def test_the_whole_flow_runs_in_a_slicer_without_the_optional_packages(bare, tmp_path):
    from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids

    bare.click("sampleDataButton")
    bare.wait(lambda: "mL" in bare.ownFeaturesLabel.text)
    bare.click("generateButton")
    assert generated_thyroids(bare.app.scene)
    for slider in (bare.volumeSlider, bare.editVolumeSlider):
        if slider is bare.editVolumeSlider:
            bare.click("fitButton")
        slider.value = 1.1 * slider.value
        bare.app.process_events()
    bare.wait(lambda: bare.undoButton.enabled)
    bare.click("undoButton")
    bare.exportFolderEdit.setCurrentPath(str(tmp_path / "written"))
    bare.click("exportButton")
    assert list((tmp_path / "written").glob("*.nii.gz"))
    assert bare.app.installations.requested == []
    assert not OPTIONAL & {name.partition(".")[0] for name in sys.modules}
