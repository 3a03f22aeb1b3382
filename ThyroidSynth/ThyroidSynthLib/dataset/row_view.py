"""Some rows of an array on the disk, looked at in place."""

from __future__ import annotations

from typing import Any

import numpy as np


class RowView:
    """Some rows of an array, numbered anew from 0; nothing is copied before it is asked for.

    NumPy gives rows in any order only as a copy, which for the samples of a large cohort would be tens
    of gigabytes. This gives what is indexed, as the array itself would.

    Parameters
    ----------
    array : ndarray
        The whole, such as a memory map.
    rows : ndarray of int, shape (n,)
        Which rows of it.
    """

    def __init__(self, array: np.ndarray, rows: np.ndarray) -> None:
        self._array, self._rows = array, np.asarray(rows, dtype=np.intp)
        self.shape: tuple[int, ...] = (len(self._rows), *array.shape[1:])
        self.dtype = array.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Give part of the rows: a copy, except of a single one.

        Parameters
        ----------
        index : int, slice, array, or a tuple that begins with one
            As of an array. What begins with ``...`` or a new axis is refused.

        Raises
        ------
        IndexError
            The rows are not said first, or are out of range.
        """
        first, *rest = index if isinstance(index, tuple) else (index,)
        if first is None or first is Ellipsis:
            raise IndexError("The rows come first in an index of a RowView.")
        rows = self._rows[first]
        if isinstance(first, slice) and any(isinstance(part, list | np.ndarray) for part in rest):
            # Side by side the rows and a list of columns would be taken as pairs, not as a grid.
            return self._array[rows][(slice(None), *rest)]
        return self._array[(rows, *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Give all rows as an array of their own."""
        if copy is False:
            raise ValueError("The rows of a RowView become an array only by a copy.")
        return np.asarray(self._array[self._rows], dtype=dtype)
