"""HTML pages of a report."""
