"""What opening Slicer imports: the module's file, not the library behind it."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from support.panel_hands import PROJECT

_OPEN_SLICER = """
import json, sys
sys.path[:0] = sys.argv[1:3]
from standin.session import open_session

def imported():
    return sorted(name for name in sys.modules if name.partition(".")[0] == "ThyroidSynthLib")

session = open_session()
module = session.load_module(sys.argv[2] + "/ThyroidSynth.py")
import slicer
listed = "ThyroidSynth" in slicer.modules.sampleDataSources
at_start = imported()
module.select()
print(json.dumps([at_start, listed, len(imported())]))
"""


def test_opening_slicer_imports_a_handful_of_the_modules_files():
    folders = [str(PROJECT / "Testing"), str(PROJECT / "ThyroidSynth")]
    run = subprocess.run(
        [sys.executable, "-c", _OPEN_SLICER, *folders], capture_output=True, text=True, check=True, timeout=120
    )
    at_start, sample_case_is_listed, after_opening_the_module = json.loads(run.stdout.splitlines()[-1])
    assert sample_case_is_listed
    assert len(at_start) <= 6, at_start
    assert after_opening_the_module > 50


_RELOAD = """
import sys
sys.path[:0] = sys.argv[1:3]
from standin.session import open_session

session = open_session()
module = session.load_module(sys.argv[2] + "/ThyroidSynth.py")
module.select()
import slicer

def library():
    return {name: value for name, value in sys.modules.items() if name.partition(".")[0] == "ThyroidSynthLib"}

before = library()
slicer.modules.ThyroidSynthWidget.onReload()
after = library()
print(len(after), [name for name in after if after[name] is before.get(name)])
panel = slicer.modules.ThyroidSynthWidget.panel
print(type(panel) is after["ThyroidSynthLib.slicer.panel.panel"].Panel)
"""


def test_reload_reads_the_files_of_the_library_again():
    folders = [str(PROJECT / "Testing"), str(PROJECT / "ThyroidSynth")]
    run = subprocess.run([sys.executable, "-c", _RELOAD, *folders], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    number_and_kept, panel_is_new = run.stdout.splitlines()[-2:]
    number, _, kept = number_and_kept.partition(" ")
    assert int(number) > 50
    assert kept == "[]"
    assert panel_is_new == "True"


def test_both_modules_say_what_they_are_and_have_the_icon(slicer_app, monkeypatch):
    import qt
    import slicer

    class Training:
        """As `qSlicerCLIModule`, whose icon cannot be set."""

        def __init__(self) -> None:
            self._action = qt.QAction("ThyroidSynth Train", None)

        def action(self):
            return self._action

    training = Training()
    monkeypatch.setattr(slicer.modules, "thyroidsynthtrain", training, raising=False)
    module = slicer_app.load_module(PROJECT / "ThyroidSynth" / "ThyroidSynth.py").module
    link = "https://github.com/ThyroidSynth/SlicerThyroidSynth"
    assert f'<a href="{link}">' in module.helpText
    assert "not for clinical use" in module.helpText
    assert "arxiv.org/abs/2504.03313" in module.acknowledgementText
    assert module.contributors == ("ThyroidSynth contributors",)
    assert (module.icon.availableSizes()[0].width(), module.icon.availableSizes()[0].height()) == (128, 128)
    sys.modules["ThyroidSynth"].shareIcon()
    assert training.action().icon.cacheKey() == module.icon.cacheKey()

    description = ElementTree.parse(PROJECT / "ThyroidSynthTrain" / "ThyroidSynthTrain.xml").getroot()
    assert "not for clinical use" in description.findtext("description")
    assert description.findtext("documentation-url") == link
    assert [description.findtext(each) for each in ("category", "contributor", "license")] == [
        "Shape Analysis",
        "ThyroidSynth contributors",
        "Apache-2.0",
    ]


@pytest.mark.parametrize("fault", ["version", "packaging"])
def test_an_older_slicer_gets_one_message_instead_of_the_panel(slicer_app, monkeypatch, fault):
    import qt
    import slicer

    module = slicer_app.load_module(PROJECT / "ThyroidSynth" / "ThyroidSynth.py")
    if fault == "version":
        monkeypatch.setattr(sys.modules["ThyroidSynth"], "OLDEST_SLICER", (9, 1))
    else:
        monkeypatch.setitem(sys.modules, "slicer.packaging", None)
        monkeypatch.delattr(slicer, "packaging", raising=False)
    module.select()
    label = module.panel.findChild(qt.QLabel, "problemLabel")
    needed = "9.1" if fault == "version" else "5.12"
    assert f"needs Slicer {needed} or newer; this is Slicer {slicer.app.applicationVersion}" in label.text
    assert "Install a newer Slicer" in label.text
    # Leaving, closing the scene and reloading are safe.
    module.leave()
    module.select()
    slicer.mrmlScene.Clear(False)
    module.close()
