"""Figures and rendered pictures of a report."""
