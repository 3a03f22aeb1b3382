"""Live steering is as fine as keeps up with the hand."""

from __future__ import annotations

import pytest


@pytest.fixture
def pace(slicer_app):
    from ThyroidSynthLib.slicer.panel.generate.pace import Pace

    return Pace()


def after(pace, seconds_at_64: float, steps: int = 30) -> list[int]:
    """Make steps on a machine that takes so long for one of 64³, and give the resolutions."""
    chosen = []
    for _ in range(steps):
        chosen.append(pace.resolution)
        pace.took(seconds_at_64 * (pace.resolution / 64) ** 2)
    return chosen


def test_a_machine_that_keeps_up_always_shows_the_finest(pace):
    assert set(after(pace, 0.040)) == {64}


def test_a_slower_machine_shows_a_coarser_surface_and_stays_with_it(pace):
    chosen = after(pace, 0.070)
    assert chosen[0] == 64
    assert set(chosen[10:]) == {48}


def test_a_very_slow_machine_goes_down_to_the_coarsest_and_no_further(pace):
    assert after(pace, 0.5)[-1] == 32


def test_it_becomes_finer_again_when_the_machine_has_time(pace):
    after(pace, 0.2)
    assert after(pace, 0.02)[-1] == 64


@pytest.mark.parametrize("before", [0, 20])
def test_one_slow_step_changes_nothing(pace, before):
    after(pace, 0.03, before)
    pace.took(0.11)
    assert pace.resolution == 64


def test_the_finest_is_the_one_that_thyroids_have_at_rest(pace):
    from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION

    assert pace.resolutions[0] == DEFAULT_RESOLUTION
