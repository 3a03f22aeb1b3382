"""Selected rows of an array that stays on the disk."""

from __future__ import annotations

from typing import Any

import numpy as np


class RowView:
    """A read-only view of selected rows of an array, renumbered from 0. Only indexed elements are copied.

    NumPy selects arbitrary rows only by a copy, which for the samples of a large cohort takes tens of gigabytes.

    Parameters
    ----------
    array : ndarray or RowView
        The array, such as a memory map.
    rows : ndarray of int, shape (n,)
        The selected rows.
    """

    def __init__(self, array: np.ndarray | RowView, rows: np.ndarray) -> None:
        self._array, self._rows = array, np.asarray(rows, dtype=np.intp)
        self.shape: tuple[int, ...] = (len(self._rows), *array.shape[1:])
        self.dtype: np.dtype = array.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Return elements as NumPy would: a copy, except of a single row.

        The index is as of an array, but must not begin with ``...`` or a new axis.
        """
        first, *rest = index if isinstance(index, tuple) else (index,)
        if first is None or first is Ellipsis:
            raise IndexError("An index of a RowView begins with the rows.")
        rows = self._rows[first]
        if isinstance(first, slice) and any(isinstance(part, list | np.ndarray) for part in rest):
            # In one index NumPy would pair the rows with the list of columns, instead of crossing them.
            columns = (slice(None), *rest)
            return self._array[rows][columns]
        elements = (rows, *rest)
        return self._array[elements]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return a copy of all rows."""
        if copy is False:
            raise ValueError("A RowView can only be copied to an array.")
        return np.asarray(self._array[self._rows], dtype=dtype)
