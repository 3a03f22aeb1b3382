"""Parameter nodes keep values as Slicer does and raise where Slicer raises."""

import enum
from typing import Annotated

import pytest


@pytest.fixture
def wrapped(slicer_app, scene):
    """Make a wrapper class from annotations and open it on a new node."""
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    def make(**annotations):
        defaults = {name: value[1] for name, value in annotations.items() if isinstance(value, tuple)}
        types = {name: value[0] if isinstance(value, tuple) else value for name, value in annotations.items()}
        cls = parameterNodeWrapper(type("Parameters", (), {"__annotations__": types, **defaults}))
        return cls(scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))

    return make


class Mode(enum.Enum):
    ONE = 1
    TWO = 2


def test_values_are_kept_under_slicers_names(wrapped, scene):
    import slicer

    parameters = wrapped(
        amount=float, mode=Mode, on=bool, model=slicer.vtkMRMLModelNode, codes=list[int], limit=float | None
    )
    model = scene.AddNewNodeByClass("vtkMRMLModelNode")
    parameters.amount, parameters.mode, parameters.on = 1.5, Mode.TWO, True
    parameters.model, parameters.codes, parameters.limit = model, [4, 5], 2.0
    node = parameters.parameterNode
    kept = {name: node.GetParameter(name) for name in ("amount", "mode", "on", "model", "codes.len", "codes.1")}
    assert kept == {
        "amount": "1.5",
        "mode": "TWO",
        "on": "True",
        "model": "",
        "codes.len": "2",
        "codes.1": "5",
    }
    assert node.GetNodeReference("model") is model
    assert node.GetParameter("limit.0") == "2.0"
    parameters.limit = None
    assert parameters.limit is None
    assert not node.HasParameter("limit.0")


@pytest.mark.parametrize("value", ["1", None, [1.0]])
def test_a_wrong_type_is_refused(wrapped, value):
    parameters = wrapped(amount=float)
    with pytest.raises((TypeError, ValueError)):
        parameters.amount = value


def test_validators_refuse(wrapped):
    from slicer.parameterNodeWrapper import Choice, Maximum, Minimum, WithinRange

    parameters = wrapped(
        a=Annotated[float, WithinRange(0, 1)],
        b=Annotated[int, Minimum(0)],
        c=Annotated[int, Maximum(9)],
        d=(Annotated[str, Choice(["x", "y"])], "x"),
    )
    for name, value in {"a": 1.01, "b": -1, "c": 10, "d": "z"}.items():
        with pytest.raises(ValueError, match="Value"):
            setattr(parameters, name, value)
    assert (parameters.a, parameters.b, parameters.c, parameters.d) == (0, 0, 0, "x")


def test_a_default_outside_its_range_is_refused(wrapped):
    from slicer.parameterNodeWrapper import WithinRange

    with pytest.raises(ValueError, match="within range"):
        wrapped(amount=Annotated[float, WithinRange(1, 10)])


def test_a_list_writes_through_and_cannot_be_added(wrapped):
    parameters = wrapped(codes=list[int])
    parameters.codes.append(3)
    parameters.codes += [4]
    assert parameters.codes == [3, 4]
    assert parameters.parameterNode.GetParameter("codes.1") == "4"
    with pytest.raises(TypeError):
        parameters.codes + [5]  # noqa: RUF005
    with pytest.raises(TypeError):
        parameters.codes.append("x")
    assert parameters.codes == [3, 4]


def test_types_that_cannot_be_kept_are_refused(wrapped):
    with pytest.raises(TypeError, match="serializer"):
        wrapped(anything=complex)


def test_reserved_names_are_refused(wrapped):
    with pytest.raises(ValueError, match="reserved"):
        wrapped(default=float)


def test_a_change_of_the_node_is_seen_and_announced_once(wrapped):
    import slicer
    import vtk

    parameters, calls = wrapped(a=float, b=float), []
    tag = parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: calls.append(parameters.a))
    with slicer.util.NodeModify(parameters):
        parameters.a = 1.0
        parameters.b = 2.0
    assert calls == [1.0]
    parameters.parameterNode.SetParameter("a", "5.5")
    assert parameters.a == 5.5
    assert parameters.isCached("a")
    parameters.RemoveObserver(tag)


def _named(widget, name):
    widget.setProperty("SlicerParameterName", name)
    return widget


def test_an_unknown_parameter_name_is_refused(wrapped):
    import qt

    parent = qt.QWidget()
    _named(qt.QLineEdit(parent), "nothing")
    with pytest.raises(ValueError, match="nothing"):
        wrapped(note=str).connectGui(parent)


def test_a_widget_that_does_not_fit_the_type_is_refused(wrapped):
    import qt

    parent = qt.QWidget()
    _named(qt.QLineEdit(parent), "amount")
    with pytest.raises(RuntimeError, match="GUI connector"):
        wrapped(amount=float).connectGui(parent)


def test_a_subclass_of_a_widget_is_refused(wrapped):
    import qt

    class MyEdit(qt.QLineEdit):
        pass

    parent = qt.QWidget()
    _named(MyEdit(parent), "note")
    with pytest.raises(RuntimeError, match="GUI connector"):
        wrapped(note=str).connectGui(parent)


def test_a_slider_needs_a_range_and_a_combo_box_its_choices(wrapped):
    import ctk
    import qt

    parent = qt.QWidget()
    _named(ctk.ctkSliderWidget(parent), "amount")
    with pytest.raises(RuntimeError, match="unbounded"):
        wrapped(amount=float).connectGui(parent)
    parent = qt.QWidget()
    _named(qt.QComboBox(parent), "note")
    with pytest.raises(RuntimeError, match="Choice"):
        wrapped(note=str).connectGui(parent)


def test_two_widgets_of_one_parameter_are_a_fault(wrapped, slicer_app):
    import qt

    parent = qt.QWidget()
    _named(qt.QLineEdit(parent), "note")
    _named(qt.QLineEdit(parent), "note")
    with slicer_app.faults.expected("Two widgets"):
        wrapped(note=str).connectGui(parent)


def test_disconnected_widgets_no_longer_follow(wrapped):
    import qt

    parent = qt.QWidget()
    edit = _named(qt.QLineEdit(parent), "note")
    parameters = wrapped(note=str)
    tag = parameters.connectGui(parent)
    edit.text = "a"
    parameters.disconnectGui(tag)
    edit.text = "b"
    assert parameters.note == "a"


def test_a_widget_value_that_is_refused_is_a_fault(wrapped, slicer_app):
    import qt
    from slicer.parameterNodeWrapper import Exclude

    parent = qt.QWidget()
    edit = _named(qt.QLineEdit(parent), "note")
    parameters = wrapped(note=Annotated[str, Exclude(["bad"])])
    parameters.connectGui(parent)
    with slicer_app.faults.expected("excluded"):
        edit.text = "bad"
