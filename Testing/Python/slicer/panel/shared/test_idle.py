"""Background work pauses while the user moves a slider."""

from __future__ import annotations

import time


def steps_forever(taken: list[float]):
    while True:
        taken.append(time.monotonic())
        yield


def test_background_work_waits_for_a_pause_of_the_user(slicer_app, monkeypatch):
    from ThyroidSynthLib.slicer.panel.shared import idle

    monkeypatch.setattr(idle, "_PAUSE_SECONDS", 30.0)
    work, taken = idle.IdleWork(), []
    work.start(steps_forever(taken), lambda result: None)

    moving_until = time.monotonic() + 0.3
    while time.monotonic() < moving_until:
        idle.noteInteraction()
        slicer_app.process_events()
    assert taken == []

    monkeypatch.setattr(idle, "_PAUSE_SECONDS", 0.0)
    end = time.monotonic() + 10
    while not taken and time.monotonic() < end:
        slicer_app.process_events()
    work.stop()
    assert taken
