"""Stand-in widgets behave like those of CTK and Slicer, down to their traps."""

import pytest


@pytest.fixture
def ctk(slicer_app):
    import ctk

    return ctk


@pytest.fixture
def selector(slicer_app, scene):
    import slicer

    made = slicer.qMRMLNodeComboBox()
    made.nodeTypes = ["vtkMRMLModelNode"]
    made.setMRMLScene(scene)
    return made


@pytest.fixture
def add_model(scene):
    return lambda name="Model": scene.AddNewNodeByClass("vtkMRMLModelNode", name)


def test_a_slider_has_properties_but_not_every_setter(ctk):
    slider = ctk.ctkSliderWidget()
    slider.minimum, slider.maximum, slider.value = 5, 60, 12.346
    assert slider.value == 12.35  # two decimals
    for absent in ("setRange", "setMinimum", "setSuffix", "setTracking", "slider", "spinBox"):
        assert not hasattr(slider, absent), absent
    with pytest.raises(TypeError):
        slider.value()


def test_a_slider_announces_each_value_once(ctk):
    slider, values = ctk.ctkSliderWidget(), []
    slider.connect("valueChanged(double)", values.append)
    slider.value = 5
    slider.value = 5
    slider.maximum = 3
    assert values == [5.0, 3.0]


def test_a_slider_without_tracking_announces_its_value_when_it_is_let_go(ctk, slicer_app):
    slider, values, passing = ctk.ctkSliderWidget(), [], []
    slider.tracking = False
    slider.connect("valueChanged(double)", values.append)
    slider.connect("valueIsChanging(double)", passing.append)
    handle = slider.Slider
    handle.setSliderDown(True)
    handle.setValue(5000)
    assert (values, len(passing), slider.value) == ([], 1, 0.0)
    handle.setSliderDown(False)
    assert values == passing


def test_a_path_is_announced_only_when_it_is_acceptable(ctk, tmp_path):
    edit, paths = ctk.ctkPathLineEdit(), []
    edit.connect("currentPathChanged(QString)", paths.append)
    edit.currentPath = str(tmp_path)
    edit.currentPath = ""  # never announced, as in CTK
    edit.nameFilters = ["Label maps (*.nii.gz *.nrrd)"]
    edit.currentPath = "a.txt"
    edit.currentPath = "a.nii.gz"  # CTK takes the first of two extensions only
    edit.currentPath = "a.nrrd"
    assert paths == [str(tmp_path), "a.nrrd"]


def test_remembered_paths_appear_without_a_signal(ctk):
    edit = ctk.ctkPathLineEdit()
    edit.settingKey = "Probe/Folder"
    edit.currentPath = "/data/a"
    edit.addCurrentPathToHistory()
    other, paths = ctk.ctkPathLineEdit(), []
    other.connect("currentPathChanged(QString)", paths.append)
    other.settingKey = "Probe/Folder"
    assert (other.currentPath, paths) == ("/data/a", [])


def test_browsing_sets_the_path(ctk, slicer_app):
    edit = ctk.ctkPathLineEdit()
    edit.filters = ctk.ctkPathLineEdit.Dirs
    slicer_app.dialogs.expect("file", "directory", answer="/data/b")
    edit.browse()
    assert edit.currentPath == "/data/b"


def test_a_collapsed_button_hides_its_children_and_keeps_hidden_ones_hidden(ctk, slicer_app):
    import qt

    button = ctk.ctkCollapsibleButton()
    layout = qt.QVBoxLayout(button)
    shown, hidden = qt.QLabel("a"), qt.QLabel("b")
    layout.addWidget(shown)
    layout.addWidget(hidden)
    hidden.hide()
    button.show()
    states = []
    button.connect("contentsCollapsed(bool)", states.append)
    button.collapsed = True
    assert not shown.visible
    button.collapsed = False
    assert (shown.visible, hidden.visible, states) == (True, False, [True, False])
    button.close()


@pytest.mark.parametrize("kind", ["ctkCollapsibleButton", "ctkCollapsibleGroupBox"])
def test_a_child_shown_in_a_closed_container_waits_until_it_opens(ctk, slicer_app, kind):
    import qt

    container = getattr(ctk, kind)()
    layout = qt.QVBoxLayout(container)
    first, second = qt.QLabel("first"), qt.QLabel("second")
    for label in (first, second):
        layout.addWidget(label)
        label.setVisible(False)
    container.show()
    container.collapsed = True
    first.setVisible(True)
    second.setVisible(True)
    assert first.isHidden()
    second.setVisible(False)
    container.collapsed = False
    assert not first.isHidden()
    assert second.isHidden()
    container.delete()


def test_a_button_that_was_collapsed_while_its_panel_was_away_opens_again(ctk, slicer_app):
    import qt

    button = ctk.ctkCollapsibleButton()
    layout = qt.QVBoxLayout(button)
    button.collapsed = True
    late = qt.QLabel("added by the .ui file after the property")
    layout.addWidget(late)
    for _ in range(2):
        button.show()
        assert not late.visible
        button.hide()
    button.show()
    button.collapsed = False
    assert late.visible
    button.close()


def test_a_range_keeps_its_order(ctk):
    widget, values = ctk.ctkRangeWidget(), []
    widget.setRange(0, 10)
    widget.connect("valuesChanged(double,double)", lambda low, high: values.append((low, high)))
    widget.setValues(7, 2)
    assert (widget.minimumValue, widget.maximumValue) == (2, 7)
    assert values[-1] == (2, 7)


def test_widgets_without_stand_in_are_missing(ctk):
    import slicer

    with pytest.raises(AttributeError, match="stand-in"):
        ctk.ctkTreeComboBox  # noqa: B018
    with pytest.raises(AttributeError):
        slicer.qMRMLTreeView  # noqa: B018


def test_what_slicer_util_defines_is_not_on_slicer_itself(slicer_app):
    import slicer

    assert not hasattr(slicer, "arrayFromVolume")


def test_a_first_node_is_not_chosen_while_there_are_actions(selector, add_model):
    model = add_model()
    assert selector.currentNode() is None
    assert selector.nodeCount() == 1
    selector.addEnabled = selector.removeEnabled = False
    assert selector.currentNode() is None
    selector.setCurrentNode(model)
    assert selector.currentNodeID == model.GetID()


def test_a_first_node_is_chosen_when_there_are_neither_none_nor_actions(slicer_app, scene, add_model):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLModelNode"]
    selector.addEnabled = selector.removeEnabled = False
    selector.setMRMLScene(scene)
    model = add_model()
    assert selector.currentNode() is model


def test_the_current_node_is_announced(selector, add_model):
    nodes, states, ids = [], [], []
    selector.noneEnabled = True
    selector.connect("currentNodeChanged(vtkMRMLNode*)", nodes.append)
    selector.connect("currentNodeChanged(bool)", states.append)
    selector.connect("currentNodeIDChanged(QString)", ids.append)
    model = add_model("A")
    selector.setCurrentNode(model)
    selector.setCurrentNode(None)
    assert nodes == [model, None]
    assert states == [True, False]
    assert ids == [model.GetID(), ""]


def test_signatures_are_those_of_the_header(selector):
    from standin.signals import SignatureError

    for wrong in (
        "currentNodeChanged(vtkMRMLModelNode*)",
        "currentNodeChanged()",
        "currentNodeChanged(PyObject)",
        "currentNodeIDChanged(vtkMRMLNode*)",
    ):
        with pytest.raises(SignatureError):
            selector.connect(wrong, print)


def test_renaming_the_current_node_announces_it_again(selector, add_model):
    model, nodes = add_model("A"), []
    selector.setCurrentNode(model)
    selector.connect("currentNodeChanged(vtkMRMLNode*)", nodes.append)
    model.SetName("B")
    assert nodes == [model]


def test_removing_the_current_node_goes_to_another_or_to_none(selector, scene, add_model):
    first, second = add_model("A"), add_model("B")
    selector.setCurrentNode(first)
    nodes = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", nodes.append)
    scene.RemoveNode(first)
    assert selector.currentNode() is second
    scene.RemoveNode(second)
    assert selector.currentNode() is None
    assert nodes[-1] is None


def test_hidden_nodes_and_other_classes_are_not_listed(selector, scene, add_model):
    hidden = scene.CreateNodeByClass("vtkMRMLModelNode")
    hidden.UnRegister(None)
    hidden.SetHideFromEditors(True)
    scene.AddNode(hidden)
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert selector.nodeCount() == 0
    selector.showHidden = True
    assert selector.nodeCount() == 1 + 3  # the slices' own models are hidden nodes as well


def test_nodes_are_added_through_the_selector(selector):
    added = []
    selector.baseName = "Result"
    selector.connect("nodeAddedByUser(vtkMRMLNode*)", added.append)
    node = selector.addNode()
    assert (node.GetName(), selector.currentNode(), added) == ("Result", node, [node])


def test_a_deleted_selector_no_longer_observes_the_scene(selector, scene, add_model):
    from standin.strictness import observer_count

    before = observer_count(scene)
    selector.delete()
    assert observer_count(scene) == before - 3
    add_model()


def test_the_segment_selector_follows_the_segmentation(slicer_app, scene, a_segmentation_node):
    import slicer

    selector, segments = slicer.qMRMLSegmentSelectorWidget(), []
    selector.connect("currentSegmentChanged(QString)", segments.append)
    selector.setMRMLScene(scene)
    selector.setCurrentNode(a_segmentation_node)
    assert selector.currentNodeID() == a_segmentation_node.GetID()
    assert selector.currentSegmentID() == "thyroid_gland"
    selector.setCurrentSegmentID("trachea")
    assert segments == ["thyroid_gland", "trachea"]
    a_segmentation_node.GetSegmentation().RemoveSegment("trachea")
    assert selector.currentSegmentID() == "thyroid_gland"


def test_the_segments_table_lists_and_selects(slicer_app, scene, a_segmentation_node):
    import slicer

    table, seen = slicer.qMRMLSegmentsTableView(), []
    table.setMRMLScene(scene)
    table.setSegmentationNode(a_segmentation_node)
    table.connect("selectionChanged(QItemSelection,QItemSelection)", lambda: seen.append(table.selectedSegmentIDs()))
    table.setSelectedSegmentIDs(["trachea"])
    assert seen[-1] == ("trachea",)
    assert table.segmentCount == 2
    assert table.rowForSegmentID("trachea") == 1


def test_a_table_view_shows_a_table(slicer_app, scene):
    import slicer
    import vtk

    node = scene.AddNewNodeByClass("vtkMRMLTableNode")
    column = vtk.vtkDoubleArray()
    column.SetName("volume_ml")
    column.InsertNextValue(12.5)
    node.AddColumn(column)
    view = slicer.qMRMLTableView()
    view.setMRMLScene(scene)
    view.setMRMLTableNode(node)
    assert view.model().rowCount() == 1
    assert view.model().index(0, 0).data() == "12.5"


def test_a_long_path_makes_its_edit_no_wider(slicer_app):
    import ctk

    edit = ctk.ctkPathLineEdit()
    before = edit.sizeHint.width()
    edit.setCurrentPath("/a/path/of/many/folders" * 10)
    edit.addCurrentPathToHistory()
    assert edit.sizeHint.width() == before
