"""The stand-in notices what a module leaves behind, and slots that keep the application waiting."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest


@pytest.fixture
def leaks(slicer_app):
    from standin.leaks import held

    before = held(slicer_app.scene)
    return lambda: held(slicer_app.scene).leaks_since(before)


def test_nothing_held_is_no_leak(leaks):
    assert leaks() == []


def test_an_observer_of_the_scene_is_found(leaks, scene):
    tag = scene.AddObserver(scene.NodeAddedEvent, lambda *_: None)
    assert any("scene" in each for each in leaks())
    scene.RemoveObserver(tag)
    assert leaks() == []


def test_an_observer_of_a_node_is_found_and_new_nodes_are_none_of_it(leaks, scene):
    node = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    tag = node.AddObserver("ModifiedEvent", lambda *_: None)
    scene.AddNewNodeByClass("vtkMRMLModelNode").AddObserver("ModifiedEvent", lambda *_: None)
    assert len(leaks()) == 1
    node.RemoveObserver(tag)
    assert leaks() == []


def test_a_running_timer_is_found(leaks):
    import qt

    timer = qt.QTimer()
    timer.setInterval(12345)
    assert leaks() == []
    timer.start()
    assert leaks() == ["timer of 12345 ms runs"]
    timer.stop()
    assert leaks() == []


def test_a_running_process_is_found(leaks):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert leaks() == [f"process {process.pid} runs"]
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def measured(slicer_app):
    """Connect functions to a timer's signal and emit it; gives the stopwatch."""
    import qt

    from standin.responsiveness import stopwatch

    def run(function, excuse=lambda: False):
        timer = qt.QTimer()
        timer.connect("timeout()", function)
        stopwatch.start(excuse)
        timer.timeout.emit()
        stopwatch.stop()
        return stopwatch

    return run


def compute(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_a_slot_that_computes_is_found_with_its_name(measured):
    (slow,) = measured(lambda: compute(0.06)).slower_than(0.05)
    assert "lambda" in slow.what
    assert "timeout()" in slow.what
    assert 0.06 <= slow.seconds < 0.1


def test_a_slot_that_waits_costs_nothing(measured):
    assert measured(lambda: time.sleep(0.06)).slower_than(0.02) == []


def test_a_turn_of_the_event_loop_ends_the_stretch(measured):
    import slicer

    def work():
        compute(0.04)
        slicer.app.processEvents()
        compute(0.04)

    watch = measured(work)
    assert watch.slower_than(0.06) == []
    assert len(watch.slower_than(0.03)) == 2


def test_what_is_done_under_progress_counts_apart(measured):
    watch = measured(lambda: compute(0.04), excuse=lambda: True)
    assert watch.slower_than(0.03) == []
    assert len(watch.slower_than(0.03, excused=True)) == 1
