"""Connects widgets to parameters: the same pairs of widget and type as in Slicer, and no other."""

from __future__ import annotations

import enum
import logging
import math
import typing

import slicer
from PySide6 import QtWidgets

from . import parameter_types as kinds
from .parameter_storage import PATH_TYPES, split_annotations
from .pythonqt import standin_class


def _first(annotations: list, kind: type):
    return next((each for each in annotations if isinstance(each, kind)), None)


def _bounds(annotations: list) -> tuple[float | None, float | None]:
    within = _first(annotations, kinds.WithinRange)
    if within is not None:
        return within.minimum, within.maximum
    low, high = _first(annotations, kinds.Minimum), _first(annotations, kinds.Maximum)
    return (low.minimum if low else None), (high.maximum if high else None)


class Connector:
    """One widget and one type of value.

    Attributes
    ----------
    widgets : tuple of str
        Exact classes it takes; a subclass is refused, as in Slicer.
    signal : str
        Signal that says the value changed.
    value : str
        Property that holds the value.
    """

    widgets: tuple[str, ...] = ()
    signal = ""
    value = ""

    def __init__(self, widget, datatype) -> None:
        self.widget = widget
        self.datatype, self.annotations = split_annotations(datatype)
        self._callback = None
        self._prepare()

    @classmethod
    def takes(cls, widget, bare) -> bool:
        """Return whether it connects this widget to a parameter of this type."""
        classes = [getattr(QtWidgets, name, None) or standin_class(name) for name in cls.widgets]
        return type(widget) in classes and cls._takes_type(bare)

    @classmethod
    def _takes_type(cls, bare) -> bool:
        raise NotImplementedError

    def _prepare(self) -> None:
        """Set up the widget for the type."""

    def read(self):
        """Return the widget's value."""
        return getattr(self.widget, self.value)

    def write(self, value) -> None:
        """Show a value in the widget."""
        setattr(self.widget, self.value, value)

    def connect(self, callback) -> None:
        """Call back when the user changes the value."""
        self._callback = callback
        if self.signal:
            getattr(self.widget, self.signal).connect(self._callback)

    def disconnect(self) -> None:
        """End :meth:`connect`."""
        if self.signal and self._callback is not None:
            getattr(self.widget, self.signal).disconnect(self._callback)
        self._callback = None


class CheckBox(Connector):
    widgets, signal, value = ("QCheckBox", "ctkCheckBox"), "stateChanged", "checked"

    @classmethod
    def _takes_type(cls, bare) -> bool:
        return bare is bool


class CheckableButton(CheckBox):
    widgets, signal = ("QPushButton",), "toggled"

    def _prepare(self) -> None:
        if not self.widget.checkable:
            logging.warning("Making push button checkable for conversion to bool: %s", self.widget.objectName)
            self.widget.checkable = True


class WholeNumber(Connector):
    widgets, signal, value = ("QSlider", "QSpinBox"), "valueChanged", "value"

    @classmethod
    def _takes_type(cls, bare) -> bool:
        return bare is int

    def _prepare(self) -> None:
        low, high = _bounds(self.annotations)
        if isinstance(self.widget, QtWidgets.QSlider) and (low is None or high is None):
            raise RuntimeError("Cannot have a connection to QSlider where the int type is unbounded.")
        self.widget.setMinimum(-(2**31) if low is None else low)
        self.widget.setMaximum(2**31 - 1 if high is None else high)
        step = _first(self.annotations, kinds.SingleStep)
        if step is not None:
            self.widget.singleStep = step.value


class RealNumber(Connector):
    widgets = ("QDoubleSpinBox", "ctkSliderWidget", "qMRMLSliderWidget", "ctkDoubleSpinBox", "qMRMLSpinBox")
    signal, value = "valueChanged", "value"

    @classmethod
    def _takes_type(cls, bare) -> bool:
        return bare in (int, float)

    def _prepare(self) -> None:
        decimals, step = _first(self.annotations, kinds.Decimals), _first(self.annotations, kinds.SingleStep)
        if self.datatype is int:
            self.widget.decimals = 0
        elif decimals is not None:
            self.widget.decimals = decimals.value
        if step is not None:
            self.widget.singleStep = step.value
        low, high = _bounds(self.annotations)
        slider = type(self.widget).__name__ in ("ctkSliderWidget", "qMRMLSliderWidget")
        if slider and (low is None or high is None):
            raise RuntimeError("Cannot have a connection to ctkSliderWidget where the float types is unbounded.")
        self.widget.minimum = -math.inf if low is None else low
        self.widget.maximum = math.inf if high is None else high

    def read(self):
        return self.datatype(self.widget.value)

    def write(self, value) -> None:
        self.widget.value = self.datatype(value)


class ComboBoxOfChoices(Connector):
    widgets, signal = ("QComboBox", "ctkComboBox"), "currentIndexChanged"

    @classmethod
    def _takes_type(cls, bare) -> bool:
        return bare in (int, float, str, bool)

    def _prepare(self) -> None:
        choice = _first(self.annotations, kinds.Choice)
        if choice is None:
            raise RuntimeError("ComboBoxToStringableConnector requires the Choice annotation to be used.")
        self._values = list(choice.choices)
        self._fill([str(each) for each in self._values])

    def _fill(self, labels: list[str]) -> None:
        self.widget.clear()
        for label in labels:
            self.widget.addItem(label)

    def read(self):
        return self._values[self.widget.currentIndex]

    def write(self, value) -> None:
        if value not in self._values:
            raise ValueError(f"Unable to find value {value} in choices {self._values}")
        self.widget.currentIndex = self._values.index(value)


class ComboBoxOfEnum(ComboBoxOfChoices):
    @classmethod
    def _takes_type(cls, bare) -> bool:
        return isinstance(bare, type) and issubclass(bare, enum.Enum)

    def _prepare(self) -> None:
        self._values = list(self.datatype)
        # Slicer reads the widget before it fills it: more lines in the .ui file than members fail here.
        chosen = self.read()
        label = getattr(self.datatype, "label", lambda member: member.name)
        self._fill([label(each) for each in self._values])
        self.write(chosen)


class LineEdit(Connector):
    widgets, signal, value = ("QLineEdit",), "textChanged", "text"

    @classmethod
    def _takes_type(cls, bare) -> bool:
        return bare is str

    def write(self, value) -> None:
        if value != self.widget.text:
            self.widget.text = value


class Label(LineEdit):
    widgets, signal = ("QLabel",), ""


class TextEdit(LineEdit):
    widgets, signal = ("QTextEdit",), "textChanged"

    def read(self):
        return self.widget.toPlainText()

    def write(self, value) -> None:
        self.widget.setPlainText(value)


class RangeWidget(Connector):
    widgets, signal = ("ctkRangeWidget", "qMRMLRangeWidget"), "valuesChanged"

    @classmethod
    def _takes_type(cls, bare) -> bool:
        return bare is kinds.FloatRange

    def _prepare(self) -> None:
        bounds = _first(self.annotations, kinds.RangeBounds)
        if bounds is None:
            raise RuntimeError("Cannot have a connection to a range widget where the float is unbounded.")
        outside_zero = not bounds.minimum <= 0 <= bounds.maximum
        if outside_zero and _first(self.annotations, kinds.Default) is None:
            raise RuntimeError("RangeBounds that do not cover 0 need a Default() value.")
        self.widget.setRange(bounds.minimum, bounds.maximum)

    def read(self):
        return kinds.FloatRange(self.widget.minimumValue, self.widget.maximumValue)

    def write(self, value) -> None:
        self.widget.setValues(value.minimum, value.maximum)


class PathEdit(Connector):
    widgets, signal, value = ("ctkPathLineEdit",), "currentPathChanged", "currentPath"

    @classmethod
    def _takes_type(cls, bare) -> bool:
        return bare in PATH_TYPES

    def read(self):
        return self.datatype(self.widget.currentPath)

    def write(self, value) -> None:
        self.widget.currentPath = str(value)


class NodeSelector(Connector):
    widgets, signal = ("qMRMLNodeComboBox",), "currentNodeChanged"

    @classmethod
    def _takes_type(cls, bare) -> bool:
        members = typing.get_args(bare) or (bare,)
        return all(
            isinstance(split_annotations(each)[0], type)
            and issubclass(split_annotations(each)[0], (slicer.vtkMRMLNode, type(None)))
            for each in members
        )

    def _prepare(self) -> None:
        members = [split_annotations(each)[0] for each in typing.get_args(self.datatype) or (self.datatype,)]
        # Replaces the node types of the .ui file, as in Slicer.
        self.widget.nodeTypes = [each.__name__ for each in members if each is not type(None)]

    def read(self):
        return self.widget.currentNode()

    def write(self, value) -> None:
        self.widget.setCurrentNode(value)


CONNECTORS = (
    CheckBox,
    CheckableButton,
    WholeNumber,
    RealNumber,
    ComboBoxOfChoices,
    ComboBoxOfEnum,
    LineEdit,
    Label,
    TextEdit,
    RangeWidget,
    PathEdit,
    NodeSelector,
)


def connector_for(widget, datatype) -> Connector:
    """Return the connector of a widget to a parameter's type.

    Raises
    ------
    RuntimeError
        If Slicer has none for this pair.
    """
    bare = split_annotations(datatype)[0]
    for kind in CONNECTORS:
        if kind.takes(widget, bare):
            return kind(widget, datatype)
    raise RuntimeError(f"Unable to create GUI connector from datatype '{datatype}' to widget type '{type(widget)}'.")
