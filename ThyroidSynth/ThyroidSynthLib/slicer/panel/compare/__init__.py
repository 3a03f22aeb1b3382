"""Section Inspect: compare, plot and rate the thyroids of the scene."""
