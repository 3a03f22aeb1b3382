"""Random choices of a study, which depend on its seed only, whatever the version of NumPy.

Items are sorted by checksums of the seed and their names: the order of a reader can so be restored at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Shapes between the two showings of a repeated one, if the study has enough of them, and orders tried for that.
_LEAST_GAP = 10
_TRIED_ORDERS = 50


@dataclass(frozen=True)
class Showing:
    """One showing of a shape to a reader.

    Attributes
    ----------
    shape : int
        Number of the shape.
    showing : int
        1, or 2 if the shape is repeated here.
    """

    shape: int
    showing: int


def shuffled(items: Iterable[str], *seed: object) -> list[str]:
    """Return different texts in a random order that depends on the seed and the texts only."""
    return sorted(items, key=lambda item: hashlib.sha256(repr((*map(str, seed), item)).encode()).digest())


def order_for(reader: str, seed: int, shapes: Sequence[int], repeated: Sequence[int]) -> tuple[Showing, ...]:
    """Return the order in which a reader sees the shapes, with the repeated ones a second time.

    Two showings of one shape are as far apart as chance allows, so that the reader does not remember the first.

    Parameters
    ----------
    reader : str
        The reader's key, see `ratings.reader_key`.
    shapes, repeated : sequence of int
        Numbers of all shapes, and of those that are shown twice.
    """
    names = [str(number) for number in (*shapes, *repeated)]
    items = [f"{index} {name}" for index, name in enumerate(names)]
    enough = min(_LEAST_GAP, len(shapes) // 2)
    best: tuple[Showing, ...] = ()
    best_gap = -1
    for attempt in range(_TRIED_ORDERS):
        order = [int(item.split()[1]) for item in shuffled(items, seed, reader, attempt)]
        gap = min((_last(order, number) - order.index(number) for number in repeated), default=enough)
        if gap > best_gap:
            best, best_gap = _numbered(order), gap
        if gap >= enough:
            break
    return best


def _last(order: list[int], number: int) -> int:
    return len(order) - 1 - order[::-1].index(number)


def _numbered(order: list[int]) -> tuple[Showing, ...]:
    seen: set[int] = set()
    showings = []
    for number in order:
        showings.append(Showing(number, 2 if number in seen else 1))
        seen.add(number)
    return tuple(showings)
