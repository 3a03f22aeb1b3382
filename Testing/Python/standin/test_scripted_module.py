"""A module of the usual shape runs in the stand-in as it would in Slicer."""

import gc
import weakref
from pathlib import Path

import pytest

PROBE = Path(__file__).parent / "module" / "StandinProbe.py"


@pytest.fixture
def probe(load_module):
    return load_module(PROBE)


def test_a_module_is_loaded_under_its_own_name(probe):
    import slicer

    assert slicer.modules.standinprobe.title == "Stand-in probe"
    assert slicer.modules.standinprobe.categories == ("Testing",)
    assert slicer.util.modulePath("StandinProbe") == str(PROBE)
    assert slicer.modules.StandinProbeInstance.moduleName == "StandinProbe"


def test_a_file_without_a_class_of_its_name_is_refused(load_module, tmp_path):
    (tmp_path / "Other.py").write_text("class Another: pass\n")
    with pytest.raises(AssertionError, match="Other"):
        load_module(tmp_path / "Other.py")


def test_the_panel_is_made_once_and_entered(probe):
    probe.select()
    widget = probe.widget
    assert probe.panel.isEntered
    probe.leave()
    assert not probe.panel.isEntered
    probe.select()
    assert probe.widget is widget


def test_the_scene_reaches_widgets_through_the_connections_of_the_ui_file(probe, scene):
    probe.select()
    assert probe.widget.ui.volumeSelector.mrmlScene() is scene


def test_parameters_and_widgets_follow_each_other(probe, a_ct_node, tmp_path):
    probe.select()
    ui, node = probe.widget.ui, probe.widget.node
    assert (ui.amountSlider.value, ui.amountSlider.maximum) == (20.0, 50.0)
    assert (ui.countBox.value, ui.sideBox.currentText) == (3, "RIGHT")
    ui.amountSlider.value = 12.5
    ui.volumeSelector.setCurrentNode(a_ct_node)
    ui.sideBox.currentIndex = 0
    ui.folderEdit.currentPath = str(tmp_path)
    assert node.amount == 12.5
    assert node.volume is a_ct_node
    assert node.side is probe.python.Side.LEFT
    assert node.folder == tmp_path
    node.note = "from the node"
    node.active = False
    assert ui.noteEdit.text == "from the node"
    assert not ui.activeBox.checked


def test_a_button_runs_the_logic(probe, a_ct_node):
    probe.select()
    button = probe.widget.ui.applyButton
    assert not button.enabled
    probe.widget.node.volume = a_ct_node
    assert button.enabled
    button.click()
    assert probe.widget.events == [48 * 40 * 32]


def test_an_exception_in_setup_is_a_fault(load_module, tmp_path, slicer_app):
    source = PROBE.read_text().replace("UI/StandinProbe.ui", "UI/Missing.ui")
    (tmp_path / "StandinProbe.py").write_text(source)
    with slicer_app.faults.expected("Could not load UI file"):
        load_module(tmp_path / "StandinProbe.py").panel  # noqa: B018


def test_reload_makes_a_new_panel_and_cleans_the_old_one(probe):
    probe.select()
    old = probe.widget
    probe.reload()
    assert probe.widget is not old
    assert old.node is None
    assert not old.Observations


def test_closing_the_scene_brings_the_defaults_back(probe, scene):
    probe.select()
    probe.widget.ui.amountSlider.value = 5.0
    scene.Clear(False)
    assert probe.widget.node.amount == 20.0
    assert probe.widget.ui.amountSlider.value == 20.0


def test_a_saved_scene_brings_the_parameters_back(probe, scene, a_ct_node, tmp_path):
    import slicer

    probe.select()
    node = probe.widget.node
    node.amount, node.side, node.volume = 7.25, probe.python.Side.LEFT, a_ct_node
    node.codes, node.limit, node.folder = [1.5, -2.0], 4.0, Path("/data/cases")
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    scene.Clear(False)
    assert probe.widget.node.volume is None
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    node = probe.widget.logic.getParameterNode()
    assert (node.amount, node.side, node.limit) == (7.25, probe.python.Side.LEFT, 4.0)
    assert list(node.codes) == [1.5, -2.0]
    assert node.folder == Path("/data/cases")
    assert node.volume.GetName() == "CT"
    assert probe.widget.ui.amountSlider.value == 7.25


def test_a_closed_module_leaves_nothing_behind(probe, scene, slicer_app):
    import slicer

    from standin.strictness import observer_count

    before = observer_count(scene)
    probe.select()
    widget = weakref.ref(probe.widget)
    probe.close()
    slicer_app.process_events()
    gc.collect()
    assert widget() is None
    assert observer_count(scene) == before
    assert not hasattr(slicer.modules, "standinprobe")


def test_the_modules_own_test_runs(probe):
    import slicer

    slicer.selfTests["StandinProbe"]()


UI = (PROBE.parent / "Resources" / "UI" / "StandinProbe.ui").read_text()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ctkSliderWidget", "ctkDial"),  # a class nobody knows
        ('name="suffix"', 'name="unit"'),  # a property the class has not
        ("setMRMLScene(vtkMRMLScene*)", "setMRMLScene(vtkMRMLNode*)"),  # a wrong slot signature
        ("mrmlSceneChanged(vtkMRMLScene*)", "sceneChanged(vtkMRMLScene*)"),  # a signal that is not there
        ("<receiver>volumeSelector", "<receiver>other"),
        ('name="countBox"', 'name="activeBox"'),  # two widgets of one name
    ],
)
def test_a_wrong_ui_file_is_refused(slicer_app, tmp_path, old, new):
    import slicer

    from standin.ui_loader import UiError

    path = tmp_path / "Wrong.ui"
    path.write_text(UI.replace(old, new))
    with pytest.raises(UiError):
        slicer.util.loadUI(str(path))
    slicer_app.faults.clear()


@pytest.mark.parametrize(("buddy", "exists"), [("countBox", True), ("nobody", False)])
def test_the_buddy_of_a_label_must_exist(slicer_app, tmp_path, buddy, exists):
    import slicer

    from standin.ui_loader import UiError

    label = f'<widget class="QLabel" name="probeLabel"><property name="buddy"><cstring>{buddy}</cstring></property>'
    at = UI.rindex("<item>", 0, UI.index("</item>"))
    path = tmp_path / "Buddy.ui"
    path.write_text(f"{UI[:at]}<item>{label}</widget></item>{UI[at:]}")
    if exists:
        assert slicer.util.childWidgetVariables(slicer.util.loadUI(str(path))).probeLabel.buddy().objectName == buddy
        return
    with pytest.raises(UiError):
        slicer.util.loadUI(str(path))
    slicer_app.faults.clear()
