"""Undo and redo."""

from __future__ import annotations

import random

from ThyroidSynthLib.slicer.panel.edit.history import History


def test_a_new_history_has_nothing_to_undo_or_redo():
    history = History("patient")
    assert history.first == history.current == "patient"
    assert not history.canUndo
    assert not history.canRedo
    assert history.undo() == history.redo() == "patient"


def test_every_step_is_undone_and_redone_in_order():
    history = History(0)
    for state in range(1, 1001):
        history.add(state)
    assert [history.undo() for _ in range(1000)] == list(range(999, -1, -1))
    assert not history.canUndo
    assert [history.redo() for _ in range(1000)] == list(range(1, 1001))
    assert not history.canRedo


def test_a_state_added_after_an_undo_replaces_the_undone_states():
    history = History("a")
    history.add("b")
    history.add("c")
    history.undo()
    history.add("d")
    assert not history.canRedo
    assert history.undo() == "b"
    assert history.undo() == "a"
    assert history.redo() == "b"
    assert history.redo() == "d"


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
            history.undo()
            if len(done) > 1:
                undone.append(done.pop())
        else:
            history.redo()
            if undone:
                done.append(undone.pop())
        assert history.current == done[-1]
        assert history.canUndo == (len(done) > 1)
        assert history.canRedo == bool(undone)
        assert history.first == 0
