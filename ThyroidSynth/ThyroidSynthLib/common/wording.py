"""Words of messages."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, as in "1 phantom" and "3 phantoms"; `plural` is that of a noun without "s"."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
