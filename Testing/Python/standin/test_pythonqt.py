"""The stand-in refuses what PythonQt refuses."""

import sys

import numpy as np
import pytest


@pytest.fixture
def qt(slicer_app):
    import qt

    return qt


def test_a_property_is_an_attribute_and_cannot_be_called(qt):
    box = qt.QSpinBox()
    box.value = 7
    assert box.value == 7
    with pytest.raises(TypeError, match="not callable"):
        box.value()


def test_a_setter_that_is_a_slot_or_method_still_works(qt):
    label = qt.QLabel("a")
    label.setText("b")
    assert label.text == "b"


def test_new_attributes_on_a_cpp_object_are_refused(qt):
    button = qt.QPushButton()
    with pytest.raises(AttributeError, match="not allowed"):
        button.patientName = "x"


def test_a_method_cannot_be_overwritten(qt):
    with pytest.raises(AttributeError, match="can not be overwritten"):
        qt.QPushButton().setText = print


def test_a_python_subclass_may_have_attributes(qt):
    class Mine(qt.QWidget):
        pass

    mine = Mine()
    mine.patientName = "x"
    assert mine.patientName == "x"


def test_a_read_only_property_cannot_be_written(qt):
    with pytest.raises(AttributeError, match="not writable"):
        qt.QTimer().active = True


@pytest.mark.parametrize("value", ["5", None, 5.5, np.int64(5)])
def test_a_whole_number_property_takes_only_python_integers(qt, value):
    with pytest.raises(ValueError, match="does not accept"):
        qt.QSpinBox().value = value


def test_a_text_property_takes_only_text(qt, tmp_path):
    with pytest.raises(ValueError, match="does not accept"):
        qt.QLabel().text = tmp_path


def test_lists_come_back_as_tuples(qt):
    parent = qt.QWidget()
    child = qt.QLabel("x", parent)
    assert parent.children() == (child,)
    assert parent.findChildren(qt.QLabel) == (child,)


def test_enumerators_are_integers(qt):
    assert qt.QMessageBox.Ok == 1024
    box = qt.QMessageBox()
    box.standardButtons = qt.QMessageBox.Ok | qt.QMessageBox.Cancel
    assert box.standardButtons == 1024 | 4194304


def test_keyword_arguments_in_constructors_are_refused(qt):
    with pytest.raises(TypeError, match="keyword"):
        qt.QPushButton("x", checkable=True)


def test_what_only_qt6_has_is_missing(qt):
    with pytest.raises(AttributeError, match="Qt 6"):
        qt.QCheckBox().checkStateChanged  # noqa: B018


def test_settings_take_no_type_argument(qt):
    settings = qt.QSettings()
    settings.setValue("a", 1)
    assert int(settings.value("a", 0)) == 1
    with pytest.raises(TypeError):
        settings.value("a", 0, int)


def test_a_child_is_found_by_its_name_as_attribute(qt):
    parent = qt.QWidget()
    child = qt.QLabel("x", parent)
    child.name = "hint"
    assert parent.hint is child
    assert child.objectName == "hint"


def test_connect_takes_only_signatures_that_exist(qt, slicer_app):
    from standin.signals import SignatureError

    button, calls = qt.QPushButton(), []
    for wrong in ("clicked(int)", "clicked", "pushed()", "toggled()"):
        with pytest.raises(SignatureError):
            button.connect(wrong, calls.append)
    assert button.connect("clicked(bool)", calls.append)
    button.click()
    assert calls == [False]


def test_a_slot_gets_as_many_arguments_as_it_declares(qt):
    button, calls = qt.QPushButton(), []
    button.connect("clicked(bool)", lambda: calls.append("none"))
    button.clicked.connect(lambda checked: calls.append(checked))
    button.connect("clicked(bool)", lambda *everything: calls.append(everything))
    button.click()
    assert calls == ["none", False, (False,)]


def test_disconnect_ends_a_connection(qt):
    button, calls = qt.QPushButton(), []
    button.connect("clicked()", calls.clear)
    assert button.disconnect("clicked()", calls.clear)
    assert not button.disconnect("clicked()", calls.clear)


def test_an_exception_in_a_slot_is_a_fault(qt, slicer_app):
    def fails():
        raise RuntimeError("in the slot")

    button = qt.QPushButton()
    button.connect("clicked()", fails)
    with slicer_app.faults.expected("in the slot"):
        button.click()


def test_an_exception_in_a_timer_is_a_fault(qt, slicer_app):
    def fails():
        raise RuntimeError("in the timer")

    with slicer_app.faults.expected("in the timer"):
        qt.QTimer.singleShot(0, fails)
        slicer_app.process_events()


def test_a_qt_warning_is_a_fault(qt, slicer_app):
    with slicer_app.faults.expected(r"\[Qt\]"):
        qt.QObject().startTimer(-1)


def test_deleted_widgets_cannot_be_used(qt):
    label = qt.QLabel("x")
    label.delete()
    with pytest.raises(RuntimeError, match="deleted"):
        label.text  # noqa: B018


def test_constants_outlive_the_signals_that_carry_them(qt):
    before = sys.getrefcount(True)
    box = qt.QCheckBox()
    seen = []
    box.toggled.connect(seen.append)
    for _ in range(10_000):
        box.checked = not box.checked
    assert len(seen) == 10_000
    assert sys.getrefcount(True) > max(before // 2, 1 << 30)
