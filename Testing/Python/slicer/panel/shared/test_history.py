"""Undo and redo."""

from __future__ import annotations

import random

from ThyroidSynthLib.slicer.panel.shared.history import History


def test_a_new_history_has_nothing_to_undo_or_redo():
    history = History("patient")
    assert history.first == history.current == "patient"
    assert not history.canUndo
    assert not history.canRedo
    assert history.undo() == history.redo() == "patient"


def test_reset_goes_to_the_first_state_and_can_be_undone():
    history = History("patient")
    history.reset()
    assert not history.canUndo
    history.add("larger")
    history.reset()
    assert history.current == "patient"
    assert history.undo() == "larger"


def test_random_use_agrees_with_two_stacks():
    dice = random.Random(3)
    history, undone, done = History(0), [], [0]
    for number in range(1, 2000):
        act = dice.choice(("add", "undo", "redo"))
        if act == "add":
            history.add(number)
            done.append(number)
            undone.clear()
        elif act == "undo":
            if len(done) > 1:
                undone.append(done.pop())
            assert history.undo() == done[-1]
        else:
            if undone:
                done.append(undone.pop())
            assert history.redo() == done[-1]
        assert history.current == done[-1]
        assert history.canUndo == (len(done) > 1)
        assert history.canRedo == bool(undone)
        assert history.first == 0
