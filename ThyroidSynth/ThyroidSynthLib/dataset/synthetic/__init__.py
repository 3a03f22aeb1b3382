"""Synthetic example cases in the layout of the TotalSegmentator training dataset: software input, not anatomy.

Imports `common`, `geometry` and `imaging`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(__name__, {"dataset": ["ExampleSummary", "write_example_dataset"]})
