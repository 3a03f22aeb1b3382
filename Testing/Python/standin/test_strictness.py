"""What Slicer only prints fails a test."""

import logging

import pytest


def test_a_vtk_error_is_a_fault(slicer_app):
    import vtk

    with slicer_app.faults.expected(r"\[VTK\]"):
        reader = vtk.vtkXMLPolyDataReader()
        reader.SetFileName("no such file.vtp")
        reader.Update()


def test_an_exception_in_an_observer_is_a_fault(slicer_app, scene):
    import slicer

    def fails(caller, event):
        raise RuntimeError("in the observer")

    node = scene.AddNewNodeByClass("vtkMRMLModelNode")
    tag = node.AddObserver(slicer.vtkMRMLNode.ReferenceAddedEvent, fails)
    with slicer_app.faults.expected("in the observer"):
        node.InvokeEvent(slicer.vtkMRMLNode.ReferenceAddedEvent)
    node.RemoveObserver(tag)


def test_an_exception_in_a_thread_is_a_fault(slicer_app):
    import threading

    with slicer_app.faults.expected("ZeroDivisionError"):
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()


def test_an_unexpected_dialog_is_a_fault(slicer_app):
    import slicer

    with slicer_app.faults.expected("Unexpected error: .*\n?.*broken"):
        slicer.util.errorDisplay("It is broken")


def test_an_expected_dialog_is_answered(slicer_app):
    import qt
    import slicer

    slicer_app.dialogs.expect("question", "Sure", answer=qt.QMessageBox.Cancel)
    assert slicer.util.confirmOkCancelDisplay("Sure?") is False
    slicer_app.dialogs.expect("question", "Sure")
    assert slicer.util.confirmOkCancelDisplay("Sure?") is True
    slicer_app.dialogs.expect("warning")
    slicer.util.warningDisplay("Take care")
    assert [shown.text for shown in slicer_app.dialogs.shown] == ["Sure?", "Sure?", "Take care"]


def test_a_dialog_that_never_came_is_a_fault(slicer_app):
    slicer_app.dialogs.expect("error", "never")
    with slicer_app.faults.expected("never shown"):
        slicer_app.dialogs.clear()


def test_file_dialogs_return_the_expected_path(slicer_app, tmp_path):
    import qt

    slicer_app.dialogs.expect("file", "cohort", answer=str(tmp_path))
    assert qt.QFileDialog.getExistingDirectory(None, "Choose a cohort") == str(tmp_path)


def test_expected_faults_that_do_not_come_fail(slicer_app):
    with pytest.raises(AssertionError, match="Expected a fault"), slicer_app.faults.expected("anything"):
        pass


@pytest.fixture
def inner_pytest(tmp_path):
    """Run a test file of its own in a fresh process with the plugin."""
    import subprocess
    import sys
    from pathlib import Path

    def run(source: str) -> str:
        file = tmp_path / "test_inner.py"
        file.write_text(source)
        (tmp_path / "conftest.py").write_text('pytest_plugins = ["standin.plugin"]\n')
        testing = Path(__file__).parents[2]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(file)]
        import os

        environment = os.environ | {"PYTHONPATH": str(testing)}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=120
        ).stdout

    return run


def test_a_test_with_a_fault_fails_and_the_next_one_starts_clean(inner_pytest):
    output = inner_pytest("""
import pytest
def test_slot(slicer_app):
    import qt
    button = qt.QPushButton()
    button.connect("clicked()", lambda: 1 / 0)
    button.click()
def test_clean(slicer_app):
    assert slicer_app.scene.GetNumberOfNodesByClass("vtkMRMLTextNode") == 0
    slicer_app.scene.AddNewNodeByClass("vtkMRMLTextNode")
def test_clean_again(slicer_app):
    assert slicer_app.scene.GetNumberOfNodesByClass("vtkMRMLTextNode") == 0
""")
    assert "ZeroDivisionError" in output
    assert "1 failed, 2 passed" in output


def test_observers_and_nodes_can_be_counted(slicer_app, scene):
    import vtk

    from standin import strictness

    scene.AddNewNodeByClass("vtkMRMLModelNode")
    before = strictness.node_ids(scene)
    node = scene.AddNewNodeByClass("vtkMRMLModelNode")
    assert strictness.node_ids(scene) - before == {node.GetID()}
    count = strictness.observer_count(node)
    tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: None)
    assert strictness.observer_count(node) == count + 1
    node.RemoveObserver(tag)
    assert strictness.observer_count(node) == count


def test_child_processes_are_seen(slicer_app):
    import subprocess
    import sys

    from standin import strictness

    before = strictness.child_processes()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    assert strictness.child_processes() - before == {child.pid}
    child.kill()
    child.wait()
    assert strictness.child_processes() == before


def test_logging_an_error_is_no_fault(slicer_app):
    logging.getLogger().error("reported, not hidden")
    assert not slicer_app.faults.seen
