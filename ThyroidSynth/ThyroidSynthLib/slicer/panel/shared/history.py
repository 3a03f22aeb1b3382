"""Undo and redo."""

from __future__ import annotations

from typing import Generic, TypeVar

State = TypeVar("State")


class History(Generic[State]):
    """States and the current one among them; a state added after an undo replaces those that were undone.

    States are not copied, so they should be small and immutable.
    """

    def __init__(self, first: State) -> None:
        self._states = [first]
        self._at = 0

    @property
    def first(self) -> State:
        """The initial state."""
        return self._states[0]

    @property
    def current(self) -> State:
        """The current state."""
        return self._states[self._at]

    @property
    def canUndo(self) -> bool:
        """Whether there is a state before the current one."""
        return self._at > 0

    @property
    def canRedo(self) -> bool:
        """Whether there is a state after the current one."""
        return self._at + 1 < len(self._states)

    def add(self, state: State) -> None:
        """Make a new state the current one."""
        self._at += 1
        self._states[self._at :] = [state]

    def reset(self) -> None:
        """Make the initial state the current one, as a new step that can be undone."""
        if self.current is not self.first:
            self.add(self.first)

    def undo(self) -> State:
        """Go back to the previous state, if there is one, and return the current state."""
        self._at = max(self._at - 1, 0)
        return self.current

    def redo(self) -> State:
        """Go forward to the next state, if there is one, and return the current state."""
        self._at = min(self._at + 1, len(self._states) - 1)
        return self.current
