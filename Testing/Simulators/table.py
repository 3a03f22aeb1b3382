"""The table that ``make simulators`` prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure of one program.

    Attributes
    ----------
    program : str
        Name and version.
    figure : str
        What was measured, and what it is compared with.
    value, expected : str
        Both as texts with their units.
    passed : bool or None
        Whether they agree; None if the program was not run.
    """

    program: str
    figure: str
    value: str
    expected: str
    passed: bool | None

    @property
    def verdict(self) -> str:
        """Return the last cell of its line."""
        if self.passed is None:
            return "not run"
        return "agrees" if self.passed else "DIFFERS"


def markdown(rows: list[Row]) -> str:
    """Return the table in Markdown."""
    lines = ["| program | figure | measured | expected | |", "|---|---|---|---|---|"]
    lines += [f"| {row.program} | {row.figure} | {row.value} | {row.expected} | {row.verdict} |" for row in rows]
    return "\n".join(lines) + "\n"
