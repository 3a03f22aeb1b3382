"""Edits of a patient's own thyroid that keep its details."""
