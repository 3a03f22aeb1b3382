"""A generated cohort written to a folder with its manifest."""
