"""The example cohort: a procedural dataset in the TotalSegmentator layout. Synthetic software input, not anatomy."""

from .dataset import ExampleSummary, write_example_dataset

__all__ = ["ExampleSummary", "write_example_dataset"]
