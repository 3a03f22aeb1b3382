"""Rows of large arrays that stay on the disk. Imports `common`."""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(__name__, {"row_view": ["RowView"]})
