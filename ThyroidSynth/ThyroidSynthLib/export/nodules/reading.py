"""Nodules as users name them: by a distribution, or by the path of a table."""

from __future__ import annotations

from pathlib import Path

from .distribution import NoduleDistribution
from .table import TabledNodule, read_nodule_table


def read_nodules(text: str | Path) -> list[TabledNodule] | NoduleDistribution:
    """Return the nodules of a table, or a distribution, whose text has an equals sign.

    `InputError` if the table cannot be read, or the distribution is impossible.
    """
    table = nodule_table_in(text)
    return NoduleDistribution.parse(str(text)) if table is None else read_nodule_table(table)


def nodule_table_in(text: str | Path) -> Path | None:
    """Return the path of a table of nodules that a text names, or None if the text is a distribution."""
    path = Path(text)
    return None if isinstance(text, str) and "=" in text and not path.is_file() else path
