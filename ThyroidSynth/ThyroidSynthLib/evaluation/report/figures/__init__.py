"""Figures and rendered pictures of a report, as PNG data."""
