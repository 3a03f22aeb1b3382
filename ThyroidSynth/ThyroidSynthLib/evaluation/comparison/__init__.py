"""Several evaluations beside each other: comparison tables and cross-validation."""
