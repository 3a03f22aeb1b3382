"""Work that nobody waits for stays out of a hand's way, and is done when the hand rests."""

from __future__ import annotations

import time


def steps_forever(taken: list[float]):
    while True:
        taken.append(time.monotonic())
        yield


def test_idle_work_waits_until_a_hand_has_rested(slicer_app, monkeypatch):
    from ThyroidSynthLib.slicer.panel.shared import idle

    monkeypatch.setattr(idle, "_REST_SECONDS", 30.0)
    work, taken = idle.IdleWork(), []
    work.start(steps_forever(taken), lambda result: None)

    moving_until = time.monotonic() + 0.3
    while time.monotonic() < moving_until:
        idle.handMoves()
        slicer_app.process_events()
    assert taken == []

    monkeypatch.setattr(idle, "_REST_SECONDS", 0.0)
    end = time.monotonic() + 10
    while not taken and time.monotonic() < end:
        slicer_app.process_events()
    work.stop()
    assert taken
