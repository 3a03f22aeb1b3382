"""The resolution of the preview adapts to the speed of the computer."""

from __future__ import annotations

import pytest


@pytest.fixture
def pace(slicer_app):
    from ThyroidSynthLib.slicer.panel.generate.pace import Pace

    return Pace()


def after(pace, seconds_at_64: float, steps: int = 30) -> list[int]:
    """Make steps on a computer with this duration at 64³; return the resolutions."""
    chosen = []
    for _ in range(steps):
        chosen.append(pace.resolution)
        pace.took(seconds_at_64 * (pace.resolution / 64) ** 2)
    return chosen


def test_a_fast_computer_always_uses_the_finest_resolution(pace):
    assert set(after(pace, 0.040)) == {64}


def test_a_slower_computer_uses_a_coarser_resolution_and_keeps_it(pace):
    chosen = after(pace, 0.070)
    assert chosen[0] == 64
    assert set(chosen[10:]) == {48}


def test_a_very_slow_computer_uses_the_coarsest_resolution(pace):
    assert after(pace, 0.5)[-1] == 32


def test_the_resolution_becomes_finer_again_when_steps_are_fast(pace):
    after(pace, 0.2)
    assert after(pace, 0.02)[-1] == 64


@pytest.mark.parametrize("before", [0, 20])
def test_a_single_slow_step_changes_nothing(pace, before):
    after(pace, 0.03, before)
    pace.took(0.11)
    assert pace.resolution == 64


def test_the_finest_resolution_is_the_default_one(pace):
    from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION

    assert pace.resolutions[0] == DEFAULT_RESOLUTION
