"""Undo and redo of any depth: a line of states, and where on it one stands."""

from __future__ import annotations

from typing import Generic, TypeVar

State = TypeVar("State")


class History(Generic[State]):
    """States in the order in which they were reached.

    A state reached after going back replaces those that were gone back from, as everywhere. States are
    kept as they are and never copied, so they should be small and must not be changed.

    Parameters
    ----------
    first : State
        Where it begins; it can always be gone back to.
    """

    def __init__(self, first: State) -> None:
        self._states = [first]
        self._at = 0

    @property
    def first(self) -> State:
        """The state it began with."""
        return self._states[0]

    @property
    def current(self) -> State:
        """The present state."""
        return self._states[self._at]

    @property
    def canUndo(self) -> bool:
        """Whether there is a state before the present one."""
        return self._at > 0

    @property
    def canRedo(self) -> bool:
        """Whether there is a state that was gone back from."""
        return self._at + 1 < len(self._states)

    def add(self, state: State) -> None:
        """Reach a new state."""
        self._at += 1
        self._states[self._at :] = [state]

    def undo(self) -> State:
        """Go back to the state before; at the first one, stay.

        Returns
        -------
        State
            The present state.
        """
        self._at = max(self._at - 1, 0)
        return self.current

    def redo(self) -> State:
        """Go forward to the state that was gone back from; at the last one, stay.

        Returns
        -------
        State
            The present state.
        """
        self._at = min(self._at + 1, len(self._states) - 1)
        return self.current
