"""Number widgets of CTK (slider with spin box, spin box, range), over Qt's own widgets.

As in ``widgets_ctk.py``, public names are exactly what PythonQt shows: for instance the slider has the
*properties* ``minimum`` and ``maximum`` but no ``setRange``.
"""

from __future__ import annotations

from PySide6 import QtWidgets
from PySide6.QtCore import Property, Qt, Signal, Slot

from .properties import inner, stored

SLIDER_STEPS = 10000
LARGEST = 1e12  # stands for an infinite bound, which Qt's own spin box cannot show


def _finite(value: float) -> float:
    return max(-LARGEST, min(LARGEST, value))


def _bound(owner: str, name: str) -> Property:
    return Property(
        float,
        lambda widget: getattr(widget.__dict__[owner], name),
        lambda widget, value: _set_bound(widget, owner, name, value),
    )


def _set_bound(widget, owner: str, name: str, value: float) -> None:
    setattr(widget.__dict__[owner], name, _finite(value))
    place_handle = getattr(widget, "_place_handle", None)
    if place_handle is not None:
        place_handle()


class ctkDoubleSpinBox(QtWidgets.QWidget):
    """Spin box for real numbers; a value is rounded to ``decimals``."""

    valueChanged = Signal((float,), (str,))
    editingFinished = Signal()
    decimalsChanged = Signal(int)

    SetAlways, SetIfDifferent = 0, 1
    FixedDecimals, DecimalsByShortcuts, DecimalsByKey, DecimalsByValue = 0, 1, 2, 4

    def __init__(self, *arguments) -> None:
        super().__init__(next((each for each in arguments if isinstance(each, QtWidgets.QWidget)), None))
        self._box = QtWidgets.QDoubleSpinBox(self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self.setSizePolicy(QtWidgets.QSizePolicy.Minimum, QtWidgets.QSizePolicy.Fixed)
        self._box.connect("valueChanged(double)", self._announce)
        self._box.connect("editingFinished()", self.editingFinished.emit)

    def _announce(self, value: float) -> None:
        self.valueChanged[float].emit(value)
        self.valueChanged[str].emit(self._box.text)

    @Slot(float)
    def setValue(self, value: float) -> None:
        self._box.setValue(value)

    setValueIfDifferent = setValue
    setValueAlways = setValue

    @Slot()
    def stepUp(self) -> None:
        self._box.stepUp()

    @Slot()
    def stepDown(self) -> None:
        self._box.stepDown()

    @Slot(int)
    def setDecimals(self, decimals: int) -> None:
        if decimals != self._box.decimals:
            self._box.setDecimals(decimals)
            self.decimalsChanged.emit(decimals)

    @Slot(bool)
    def setReadOnly(self, read_only: bool) -> None:
        self._box.setReadOnly(read_only)

    alignment = inner(int, "_box", "alignment")
    frame = inner(bool, "_box", "frame")
    readOnly = inner(bool, "_box", "readOnly")
    prefix = inner(str, "_box", "prefix")
    suffix = inner(str, "_box", "suffix")
    cleanText = Property(str, lambda self: self._box.cleanText)
    decimals = Property(int, lambda self: self._box.decimals, setDecimals, notify=decimalsChanged)
    decimalsOption = stored(int, 1)
    minimum = _bound("_box", "minimum")
    maximum = _bound("_box", "maximum")
    singleStep = inner(float, "_box", "singleStep")
    value = Property(float, lambda self: self._box.value, setValue, user=True)
    setMode = stored(int, 1)
    invertedControls = stored(bool, False)
    sizeHintPolicy = stored(int, 0)


class ctkSliderWidget(QtWidgets.QWidget):
    """Slider beside a spin box.

    Without ``tracking``, dragging the slider sends ``valueIsChanging`` and only its release sends
    ``valueChanged``; until then ``value`` is the value before.
    """

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)

    NoSynchronize, SynchronizeWidth, SynchronizeDecimals = 0, 1, 2

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(Qt.Horizontal, self)
        self._slider.setRange(0, SLIDER_STEPS)
        self._slider.objectName = "Slider"
        self._box = QtWidgets.QDoubleSpinBox(self)
        self._box.objectName = "SpinBox"
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._box)
        self._changing = False
        self._before = 0.0
        self._box.connect("valueChanged(double)", self._on_box)
        self._slider.connect("valueChanged(int)", self._on_slider)
        self._slider.connect("sliderPressed()", self._start_changing)
        self._slider.connect("sliderReleased()", self._stop_changing)

    def _place_handle(self) -> None:
        span = self._box.maximum - self._box.minimum
        share = (self._box.value - self._box.minimum) / span if span else 0.0
        blocked = self._slider.blockSignals(True)
        self._slider.setValue(round(share * SLIDER_STEPS))
        self._slider.blockSignals(blocked)

    def _on_box(self, value: float) -> None:
        self._place_handle()
        if not self.tracking:
            self.valueIsChanging.emit(value)
        if not self._changing:
            self.valueChanged.emit(value)

    def _on_slider(self, position: int) -> None:
        span = self._box.maximum - self._box.minimum
        self._box.setValue(self._box.minimum + span * position / SLIDER_STEPS)

    def _start_changing(self) -> None:
        if not self.tracking:
            self._before, self._changing = self._box.value, True

    def _stop_changing(self) -> None:
        if not self.tracking:
            self._changing = False
            if self._box.value != self._before:
                self.valueChanged.emit(self._box.value)

    def _get_value(self) -> float:
        return self._before if self._changing else self._box.value

    @Slot(float)
    def setValue(self, value: float) -> None:
        changing, self._changing = self._changing, False
        self._box.setValue(value)
        self._changing = changing

    @Slot()
    def reset(self) -> None:
        self.setValue(0.0)

    @Slot(bool)
    def setSpinBoxVisible(self, visible: bool) -> None:
        self._box.setVisible(visible)

    @Slot(int)
    def setDecimals(self, decimals: int) -> None:
        self._box.setDecimals(decimals)
        # CTK announces the value again although it may be the same.
        self._on_box(self._box.value)
        self.decimalsChanged.emit(decimals)

    decimals = Property(int, lambda self: self._box.decimals, setDecimals, notify=decimalsChanged)
    singleStep = inner(float, "_box", "singleStep")
    pageStep = stored(float, 10.0)
    minimum = _bound("_box", "minimum")
    maximum = _bound("_box", "maximum")
    value = Property(float, _get_value, setValue)
    prefix = inner(str, "_box", "prefix")
    suffix = inner(str, "_box", "suffix")
    tickInterval = stored(float, 0.0)
    tickPosition = inner(int, "_slider", "tickPosition")
    synchronizeSiblings = stored(int, 1)
    spinBoxAlignment = inner(int, "_box", "alignment")
    tracking = stored(bool, True)
    spinBoxVisible = Property(bool, lambda self: not self._box.isHidden(), setSpinBoxVisible)
    popupSlider = stored(bool, False)
    invertedAppearance = inner(bool, "_slider", "invertedAppearance")
    invertedControls = inner(bool, "_slider", "invertedControls")


class ctkRangeWidget(QtWidgets.QWidget):
    """Two spin boxes for a lower and an upper value (the slider between them is only painted)."""

    minimumValueChanged = Signal(float)
    minimumValueIsChanging = Signal(float)
    maximumValueChanged = Signal(float)
    maximumValueIsChanging = Signal(float)
    valuesChanged = Signal(float, float)
    rangeChanged = Signal(float, float)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._low, self._high = QtWidgets.QDoubleSpinBox(self), QtWidgets.QDoubleSpinBox(self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for box in (self._low, self._high):
            box.setRange(0.0, 99.0)
            layout.addWidget(box)
        self._high.setValue(99.0)
        self._low.connect("valueChanged(double)", self._on_low)
        self._high.connect("valueChanged(double)", self._on_high)

    def _on_low(self, value: float) -> None:
        if value > self._high.value:
            self._high.setValue(value)
        self.minimumValueChanged.emit(value)
        self.valuesChanged.emit(self._low.value, self._high.value)

    def _on_high(self, value: float) -> None:
        if value < self._low.value:
            self._low.setValue(value)
        self.maximumValueChanged.emit(value)
        self.valuesChanged.emit(self._low.value, self._high.value)

    @Slot(float, float)
    def setRange(self, minimum: float, maximum: float) -> None:
        low, high = sorted((_finite(minimum), _finite(maximum)))
        changed = (low, high) != (self._low.minimum, self._high.maximum)
        for box in (self._low, self._high):
            box.setRange(low, high)
        if changed:
            self.rangeChanged.emit(low, high)

    @Slot()
    def reset(self) -> None:
        self.setValues(self._low.minimum, self._high.maximum)

    @Slot(float)
    def setMinimumValue(self, value: float) -> None:
        self._low.setValue(value)

    @Slot(float)
    def setMaximumValue(self, value: float) -> None:
        self._high.setValue(value)

    @Slot(float, float)
    def setValues(self, minimum: float, maximum: float) -> None:
        low, high = sorted((minimum, maximum))
        first, second = (self._high, high), (self._low, low)
        if not low > self._high.value:
            first, second = second, first
        for box, value in (first, second):
            box.setValue(value)

    @Slot(int)
    def setDecimals(self, decimals: int) -> None:
        self._low.setDecimals(decimals)
        self._high.setDecimals(decimals)

    def _set_step(self, step: float) -> None:
        self._low.setSingleStep(step)
        self._high.setSingleStep(step)

    def _set_suffix(self, suffix: str) -> None:
        self._low.setSuffix(suffix)
        self._high.setSuffix(suffix)

    def _set_prefix(self, prefix: str) -> None:
        self._low.setPrefix(prefix)
        self._high.setPrefix(prefix)

    decimals = Property(int, lambda self: self._low.decimals, setDecimals)
    singleStep = Property(float, lambda self: self._low.singleStep, _set_step)
    minimum = Property(
        float, lambda self: self._low.minimum, lambda self, low: self.setRange(low, max(low, self._high.maximum))
    )
    maximum = Property(
        float, lambda self: self._high.maximum, lambda self, high: self.setRange(min(self._low.minimum, high), high)
    )
    minimumValue = Property(float, lambda self: self._low.value, setMinimumValue)
    maximumValue = Property(float, lambda self: self._high.value, setMaximumValue)
    prefix = Property(str, lambda self: self._low.prefix, _set_prefix)
    suffix = Property(str, lambda self: self._low.suffix, _set_suffix)
    tickInterval = stored(float, 0.0)
    autoSpinBoxWidth = stored(bool, True)
    tracking = stored(bool, True)
    symmetricMoves = stored(bool, False)


NUMBER_WIDGETS = (ctkDoubleSpinBox, ctkSliderWidget, ctkRangeWidget)
