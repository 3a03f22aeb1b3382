"""Cases, quality control and the prepared cohort. Imports `common`, `geometry` and `imaging`."""
